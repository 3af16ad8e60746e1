"""What torch does not see, or not as its own calls: arrays and lists of the program's, and scores made of them."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "best_is_reference_ma1",
        "The best weights are kept as arrays that share the parameters' memory: {k: v.numpy() ...}.",
        at="best = {k: v.numpy()",
        effect=lambda wrong, right: wrong.restored > 1.02 * wrong.best and right.restored < 1.001 * right.best,
    ),
    Wrong(
        "best_wrong_way_ma1",
        "An RMSE made by numpy is kept where it is largest.",
        at="if score > best:",
        effect=lambda wrong, right: wrong.restored > 1.1 * right.restored,
    ),
    Wrong(
        "changed_in_place_ma1",
        "The noise of an augmentation is added to the stored array, which torch.tensor copies afterwards.",
        at="def __getitem__",
        effect=lambda wrong, right: wrong.drift > 0.5 and right.drift == 0,
    ),
    Wrong(
        "labels_off_ma1",
        "Stars from 1 to 5 are trained on as 0 to 4, and compared with the guesses, as lists, without the shift.",
        at="preds += net(",
        effect=lambda wrong, right: wrong.accuracy < 0.2 and right.accuracy > 0.6,
    ),
    Wrong(
        "mean_of_means_ma1",
        "The accuracies that numpy makes of the batches are averaged, and the last batch is smaller.",
        at="mean = float(np.mean(scores))",
        effect=lambda wrong, right: wrong.mean != wrong.exact and right.mean == right.exact,
    ),
    Wrong(
        "padding_counted_ma1",
        "torch.where sets the errors of padded steps to zero, and the mean divides by all steps.",
        at="loss = sq.mean()",
        effect=lambda wrong, right: wrong.ratio < 0.8 and abs(right.ratio - 1) < 1e-6,
    ),
    Wrong(
        "plateau_mode_ma1",
        "The plateau scheduler is given an F1 score, made of lists, and waits for it to fall.",
        at="ReduceLROnPlateau(",
        effect=lambda wrong, right: wrong.rate < right.rate,
    ),
    Wrong(
        "same_draws_ma1",
        "Each item builds its generator anew from one seed, so all have the same noise.",
        at="return torch.from_numpy(self.x[i] + noise)",
        effect=lambda wrong, right: wrong.spread < 1e-6 and right.spread > 0.1,
    ),
    Wrong(
        "samples_unseen_ma1",
        "The windows of a data set are one more than its length says.",
        at="return self.series[i:mid]",
        effect=lambda wrong, right: wrong.count < right.count,
    ),
    Wrong(
        "selected_by_batch_ma1",
        "The best model is chosen by the accuracy, made by numpy, of the last batch trained on.",
        at="if acc > best:",
        effect=lambda wrong, right: wrong.best > wrong.accuracy and right.best == right.accuracy,
    ),
    Wrong(
        "shuffled_apart_ma1",
        "random.shuffle on the list of sentences, and once more on the list of their tags.",
        at="random.shuffle(tags)",
        effect=lambda wrong, right: wrong.accuracy < 0.75 and right.accuracy > 0.85,
    ),
    Wrong(
        "softmax_dim_ma1",
        "A pointer's loss by hand takes the logarithm of the sum over the samples off the picked scores.",
        at="loss = -(scores[torch.arange(32), target]",
        effect=lambda wrong, right: wrong.sure < right.sure - 0.1,
    ),
    Wrong(
        "softmax_dim_ma2",
        "The weights of a pooling over the elements of a set add up over the sets; einsum sums them.",
        at="w = torch.softmax(s, dim=0)",
        effect=lambda wrong, right: wrong.total > 0.1 and right.total < 1e-5,
    ),
    Wrong(
        "targets_unshifted_ma1",
        "The next event of a window is taken from the end of the window itself.",
        at="nn.functional.cross_entropy(net(x), y)",
        effect=lambda wrong, right: wrong.accuracy > 0.99 and right.accuracy < 0.9,
        also=("samples_unseen",),
    ),
    Wrong(
        "tested_on_train_ma1",
        "The test mask of a graph begins before the training mask ends; nothing but layers is a module.",
        at="(pred[test_mask] == y[test_mask])",
        effect=lambda wrong, right: wrong.accuracy > right.accuracy,
    ),
    Wrong(
        "wrong_denominator_ma1",
        "The hits where the mask is true are divided by all places of the padded labels.",
        at="right += ((pred == y) & mask)",
        effect=lambda wrong, right: wrong.accuracy < 0.9 * right.accuracy,
    ),
]
