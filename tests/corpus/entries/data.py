"""Data."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "not_shuffled_a",
        "The training set is sorted by class and the loader does not shuffle.",
        at="train_loader = DataLoader",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.1,
    ),
    Wrong(
        "not_shuffled_b",
        "Batches are slices of arrays that hold all negatives first, then all positives.",
        at="for start in range(0, len(X), 20):",
        effect=lambda wrong, right: wrong.balance < 0.05 and right.balance > 0.3 and wrong.loss > 1.1 * right.loss,
    ),
    Wrong(
        "not_shuffled_c",
        ("One data set per class, joined by ConcatDataset, and a loader without shuffling: batches of a single class."),
        at="loader = DataLoader(",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.1,
    ),
    Wrong(
        "not_shuffled_d",
        "Four clouds made one after the other are cut into slices by hand; the gradients come from autograd.grad.",
        at="loss = F.cross_entropy(",
        effect=lambda wrong, right: wrong.acc < right.acc - 0.05,
    ),
    Wrong(
        "not_shuffled_e",
        "Sorted folders and no shuffling, with an epoch so long that it is hardly looked at twice.",
        at="train_loader = DataLoader(",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.05,
    ),
    Wrong(
        "shuffled_apart_a",
        "Inputs and labels are each indexed by a permutation of their own.",
        at="y_train = y_train[",
        effect=lambda wrong, right: wrong.accuracy < 0.5 and right.accuracy > 0.8,
    ),
    Wrong(
        "shuffled_apart_b",
        "Two loaders, one for the images and one for the masks, both shuffle, and are zipped.",
        at="zip(",
        effect=lambda wrong, right: wrong.loss > 3 * right.loss,
    ),
    Wrong(
        "shuffled_apart_c",
        "The list of sentences is shuffled in place and the list of their labels is not.",
        at="random.shuffle(sentences)",
        effect=lambda wrong, right: wrong.accuracy < 0.7 and right.accuracy > 0.85,
    ),
    Wrong(
        "same_draws_a",
        (
            "The dataset owns one numpy generator; every worker gets a copy of it, so all workers draw the "
            "same noise, and again in every epoch."
        ),
        at="self.rng = np.random.default_rng(0)",
        effect=lambda wrong, right: wrong.distinct <= 64 and right.distinct == 256,
    ),
    Wrong(
        "same_draws_b",
        (
            "The seed is set at the top of every epoch, so each epoch has the same order, the same noise and "
            "the same dropout masks."
        ),
        at="# reproducible",
        effect=lambda wrong, right: wrong.orders == 1 and right.orders == 8,
    ),
    Wrong(
        "same_draws_c",
        (
            "The augmentation makes a generator from a fixed seed at each call: all batches get one and the "
            "same mask of noise."
        ),
        at="g = torch.Generator().manual_seed(1234)",
        effect=lambda wrong, right: wrong.distinct == 1 and right.distinct > 40,
    ),
    Wrong(
        "same_draws_d",
        (
            "The noise of the denoising autoencoder is drawn once, before the loop; every epoch shows the "
            "same corruption."
        ),
        at="noise = torch.randn_like(clean)",
        effect=lambda wrong, right: wrong.error > 1.15 * right.error,
    ),
    Wrong(
        "samples_unseen_a",
        ("The test loader drops its last, incomplete batch, and with it the samples that the model finds hardest."),
        at="drop_last=True)  # test",
        effect=lambda wrong, right: (
            wrong.tested == 128 and right.tested == 150 and wrong.accuracy > right.accuracy + 0.03
        ),
    ),
    Wrong(
        "samples_unseen_b",
        (
            "The evaluation goes through len(x) // batch_size whole batches; the ragged tail of the "
            "validation set is never scored."
        ),
        at="for i in range(len(x) // batch_size)",
        effect=lambda wrong, right: wrong.scored == 150 and right.scored == 190,
    ),
    Wrong(
        "samples_unseen_c",
        ("Training goes through n // batch_size batches in a fixed order; the last 38 users are in no batch, ever."),
        at="for i in range(len(users) // batch_size):",
        effect=lambda wrong, right: wrong.untouched == 38 and right.untouched == 0,
    ),
    Wrong(
        "changed_in_place_a",
        ("__getitem__ normalises the stored tensor in place, so every epoch normalises what is already normalised."),
        at="sample -= self.mean",
        effect=lambda wrong, right: wrong.last_mean < right.last_mean - 1,
    ),
    Wrong(
        "changed_in_place_b",
        ("The noise is added to a slice, which is a view: the training set itself gets noisier with every epoch."),
        at="xb += 0.3 * torch.randn_like(xb)",
        effect=lambda wrong, right: wrong.spread > 1.3 * right.spread,
    ),
    Wrong(
        "changed_in_place_c",
        (
            "The random sign flip is applied to the stored array; items drawn again are flipped on top of "
            "earlier flips and never match their label."
        ),
        at="s = self.signal[i]",
        effect=lambda wrong, right: wrong.changed > 0.2 and right.changed == 0,
    ),
    Wrong(
        "changed_in_place_d",
        "A patch is cut out of the stored picture itself, another one at each visit.",
        at="# cutout",
        effect=lambda wrong, right: wrong.drift > 0.01 and right.drift == 0,
    ),
    Wrong(
        "integer_wrap_a",
        (
            "The mean is subtracted from uint8 pixels before the conversion to float: dark pixels wrap round "
            "to bright ones."
        ),
        at="return (batch - mean).float() / 64.0",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.1,
    ),
    Wrong(
        "integer_wrap_b",
        "Brightness is raised on uint8 arrays; 200 + 80 becomes 24.",
        at="brighter = batch + gain",
        effect=lambda wrong, right: wrong.wrapped > 0.05 and right.wrapped == 0,
    ),
    Wrong(
        "integer_wrap_c",
        "Differences of uint8 frames wrap: a pixel that darkens by one becomes 255.",
        at="difference = np.abs(second - first)",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.05,
    ),
    Wrong(
        "integer_wrap_d",
        "Sound of sixteen bits is made four times as loud in sixteen bits.",
        at="return self.raw * 4",
        effect=lambda wrong, right: wrong.wrong > 0 == right.wrong,
    ),
    Wrong(
        "integer_wrap_e",
        "The difference of two frames is taken in bytes, of two slices of one array.",
        at="motion = frames[1:]",
        effect=lambda wrong, right: wrong.wrong > 0 == right.wrong,
    ),
    Wrong(
        "preprocessing_differs_a",
        "The training transform normalises, the test transform forgot to.",
        at="test_set = Spectra(",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.1,
    ),
    Wrong(
        "preprocessing_differs_b",
        "Training divides the pixels by 255 and the validation step passes them as they are.",
        at="logits = model(xv.float())",
        effect=lambda wrong, right: wrong.val_loss > 3 * right.val_loss,
    ),
    Wrong(
        "preprocessing_differs_c",
        ("The held-out part is standardised with its own mean and deviation, not with those of the training part."),
        at="x_test = standardise(x_test, x_test.mean(), x_test.std())",
        effect=lambda wrong, right: wrong.mae > 1.5 * right.mae,
    ),
    Wrong(
        "preprocessing_differs_d",
        "The transform that normalises the training images is not handed to the test set.",
        at="test_loader = DataLoader(",
        effect=lambda wrong, right: wrong.loss > 1.5 * right.loss,
    ),
    Wrong(
        "tested_on_train_a",
        'The final "test accuracy" is computed with the training loader.',
        at="test_accuracy = accuracy(train_loader, model)",
        effect=lambda wrong, right: wrong.accuracy > right.accuracy + 0.15,
    ),
    Wrong(
        "tested_on_train_b",
        "The validation split is cut from data that training also uses: the training part is never shortened.",
        at="train_idx = order",
        effect=lambda wrong, right: wrong.val_loss < 0.6 * right.val_loss,
    ),
    Wrong(
        "tested_on_train_c",
        ("The rare class is oversampled before the split, so copies of one row stand in training and in validation."),
        at="copies =",
        effect=lambda wrong, right: wrong.recall > right.recall + 0.2,
    ),
    Wrong(
        "tested_on_train_d",
        "The test loader is built on the training set; the held-out part goes into nothing.",
        at="test_loader = DataLoader(",
        effect=lambda wrong, right: wrong.acc > right.acc + 0.05,
    ),
    Wrong(
        "labels_off_a",
        "Labels run from 1; training subtracts 1 and the evaluation forgets to.",
        at="accuracy = (predicted == ratings[500:]).float().mean().item()",
        effect=lambda wrong, right: wrong.accuracy < 0.3 and right.accuracy > 0.8,
    ),
    Wrong(
        "labels_off_b",
        "The labels are -1 and +1, but the loss with logits wants 0 and 1; it falls below zero without end.",
        at="F.binary_cross_entropy_with_logits",
        effect=lambda wrong, right: wrong.loss < -1 and 0 < right.loss < 0.7,
    ),
    Wrong(
        "labels_off_c",
        (
            "The one-hot targets are scattered at label + 1, with one column too many to hide the error: "
            "class 0 of the output is never a target."
        ),
        at="target = torch.zeros(400, K + 1).scatter_(1, (label + 1).unsqueeze(1), 1.0)",
        effect=lambda wrong, right: wrong.accuracy < 0.3 and right.accuracy > 0.8,
    ),
    Wrong(
        "shuffled_apart_r1",
        "A method puts points and labels into two orders, with numpy, before each epoch.",
        at="b = self.rng.permutation(len(labels))",
        effect=lambda wrong, right: wrong.accuracy < 0.6 and right.accuracy > 0.85,
    ),
    Wrong(
        "same_draws_r1",
        "The random generator of an augmentation is built anew, with one seed, for each item.",
        at="rng = np.random.default_rng(0)",
        effect=lambda wrong, right: wrong.moved == 0 and right.moved > 0,
    ),
    Wrong(
        "same_draws_da1",
        "worker_init_fn seeds numpy's global state, which the data set's own generator does not ask.",
        at="np.random.seed(seed)",
        effect=lambda wrong, right: wrong.distinct < 0.7 * wrong.drawn and right.distinct > 0.95 * right.drawn,
    ),
    Wrong(
        "integer_wrap_da1",
        "A method of the data set makes each picture brighter in bytes.",
        at="return self.scans[i] + self.gains[i]",
        effect=lambda wrong, right: wrong.wrapped > 5 and right.wrapped == 0,
    ),
    Wrong(
        "tested_on_train_r1",
        "The test loader is built on a second data set object that holds the training items, without noise.",
        at="test_loader = DataLoader(",
        effect=lambda wrong, right: wrong.shared == 1 and right.shared == 0,
    ),
    Wrong(
        "changed_in_place_r1",
        "The masks of a masked language model are written into the stored tokens, more of them at each epoch.",
        at="batch.masked_fill_(where, MASK)",
        effect=lambda wrong, right: wrong.masked > 0.3 and right.masked == 0,
    ),
    Wrong(
        "preprocessing_differs_r1",
        "numpy standardises training and test rows each with their own mean and deviation.",
        at="x_test = standardise(test)",
        effect=lambda wrong, right: wrong.mean < 1e-6 and right.mean > 0.3,
    ),
    Wrong(
        "samples_unseen_r1",
        "A method scores whole batches only, by narrow; the last rows are in none.",
        at="steps = len(x) // self.batch",
        effect=lambda wrong, right: wrong.scored < right.scored == 100,
    ),
    Wrong(
        "labels_off_r1",
        "The score moves the predicted classes up by one, though the labels count from 0.",
        at="answer = net(x).argmax(1) + 1",
        effect=lambda wrong, right: wrong.accuracy < 0.3 and right.accuracy > 0.7,
    ),
]
