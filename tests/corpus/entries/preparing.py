"""Data: how labels are numbered, in which order items come, and how they are prepared."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "labels_off_da1",
        "Each part of the data numbers the names that it holds, and one name is missing in the second.",
        at="wood = Leaves(",
        effect=lambda wrong, right: wrong.accuracy < 0.1 and right.accuracy > 0.8,
    ),
    Wrong(
        "changed_in_place_da1",
        "A collate function adds its noise to the very tensors that the list of items holds.",
        at="curve += 0.3",
        effect=lambda wrong, right: wrong.drift > 1.5 * right.drift,
    ),
    Wrong(
        "not_shuffled_da1",
        "The rows stand in the order of their prices, and so they are trained on.",
        at="order = torch.arange",
        effect=lambda wrong, right: wrong.error > 1.5 * right.error,
    ),
    Wrong(
        "shuffled_apart_l1",
        "By hand, without a module: the inputs are put in one order, the targets in another.",
        at="inputs, targets = inputs[order]",
        effect=lambda wrong, right: wrong.off > 10 * right.off,
    ),
    Wrong(
        "preprocessing_differs_da1",
        "A hot week is scaled by its own mean and deviation.",
        at="error = (net(Scale(week)",
        effect=lambda wrong, right: wrong.error > 3 * right.error,
    ),
    Wrong(
        "preprocessing_differs_n1",
        "The held-out mails number their words by a mapping of their own.",
        at="held_out = Mails(80)",
        effect=lambda wrong, right: wrong.accuracy < 0.7 and right.accuracy > 0.9,
    ),
    Wrong(
        "shuffled_apart_n1",
        "Pictures and their marks are rolled and turned by two draws.",
        at="pairs = [(*augment(",
        effect=lambda wrong, right: wrong.loss > 1.5 * right.loss,
    ),
    Wrong(
        "tested_on_train_m1",
        "The loader for validation is built over the training part, and a function holds the other part alone.",
        at="yield DataLoader(learn, 64)",
        effect=lambda wrong, right: wrong.error < 0.5 * right.error,
    ),
    Wrong(
        "preprocessing_differs_m1",
        "Training reads sentences in lower case, the evaluation as they were typed.",
        at="return torch.tensor([[self.numbers",
        effect=lambda wrong, right: wrong.accuracy < 0.7 and right.accuracy > 0.9,
    ),
    Wrong(
        "preprocessing_differs_t1",
        "Each city's weather is standardised by itself, and its gaps are filled with zeros afterwards.",
        at="held, told = torch.from_numpy(prepared",
        effect=lambda wrong, right: wrong.error > 1.5 * right.error,
    ),
]
