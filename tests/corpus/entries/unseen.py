"""Programs with mistakes that the rules did not name when they were written."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "softmax_dim_w1",
        "The weights of an attention pooling, spread by unsqueeze, add up over the samples.",
        at="weights = torch.softmax(",
        effect=lambda wrong, right: wrong.apart > 1e-3 and right.apart < 1e-5,
    ),
    Wrong(
        "softmax_dim_w2",
        "The teacher's soft targets add up over the samples, the student's over the classes.",
        at="q = F.softmax(teacher_logits",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy,
    ),
    Wrong(
        "softmax_twice_w1",
        "The logits of a Categorical are probabilities already.",
        at="return F.softmax(self.out(",
        effect=lambda wrong, right: wrong.entropy > 2 * right.entropy,
    ),
    Wrong(
        "samples_mixed_w1",
        "The last states of both directions are reshaped without bringing the samples to the front.",
        at="h = h_n.reshape(",
        effect=lambda wrong, right: wrong.apart > 1e-3 and right.apart < 1e-5,
    ),
    Wrong(
        "mean_of_means_w1",
        "A perplexity is made of the mean of the batches' means over their tokens.",
        at="return math.exp(sum(losses) / len(losses))",
        effect=lambda wrong, right: (
            abs(wrong.reported / wrong.exact - 1) > 0.005 > abs(right.reported / right.exact - 1)
        ),
    ),
    Wrong(
        "best_wrong_way_w1",
        "A keeper of the best weights is given an accuracy, and takes the least by default.",
        at='keeper = CheckpointManager("val_acc"',
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.1,
    ),
    Wrong(
        "best_is_reference_w1",
        "The best parameters of a net by hand are detached, which copies nothing.",
        at="best_params = {k: p.detach()",
        effect=lambda wrong, right: wrong.mse > wrong.best + 1e-4 and abs(right.mse - right.best) < 1e-6,
    ),
    Wrong(
        "eval_in_train_w1",
        "The average of weights is scored with the statistics of the batch at hand.",
        at="accuracy = (swa_model(x[400:])",
        effect=lambda wrong, right: wrong.accuracy != right.accuracy,
    ),
    Wrong(
        "eval_in_train_w2",
        "Features of the held-out rows are made by a frozen part in train mode.",
        at="accuracy = (head(backbone(x[300:]))",
        effect=lambda wrong, right: wrong.accuracy != right.accuracy,
    ),
    Wrong(
        "eval_in_train_w3",
        "A helper that scores loaders never calls eval, and is called for the same data more than once.",
        at="correct += (model(data)",
        effect=lambda wrong, right: wrong.gap != right.gap,
    ),
    Wrong(
        "samples_mixed_w2",
        "The last states of both directions of packed sentences are viewed as rows.",
        at="h = h.view(x.size(0), -1)",
        effect=lambda wrong, right: wrong.apart > 1e-3 and right.apart < 1e-5,
    ),
    Wrong(
        "schedule_by_epoch_w1",
        "A warm-up and a fall whose lengths were counted in updates are stepped by epochs.",
        at="scheduler.step()",
        effect=lambda wrong, right: wrong.rates[0] > 1e-3 > right.rates[0],
    ),
    Wrong(
        "eval_in_train_w4",
        "The accuracy of each class is counted with dropout at work.",
        at="_, predictions = torch.max(net(images), 1)",
        effect=lambda wrong, right: wrong.right < right.right,
    ),
    Wrong(
        "samples_unseen_le1",
        "Batches begin at their number in the order, not at number times batch size: half of the rows are never met.",
        at="rows = order[number",
        effect=lambda wrong, right: wrong.seen < 0.6 * right.seen and wrong.error > 1.2 * right.error,
    ),
    Wrong(
        "softmax_dim_le1",
        "The attention of one question over the words of a sentence adds up over the sentences of the batch.",
        at="attention = scores.softmax(",
        effect=lambda wrong, right: wrong.apart > 1e-3 and right.apart < 1e-4,
    ),
    Wrong(
        "wrong_denominator_le1",
        "Hits are divided by batches times batch size, though the last batch of texts is smaller.",
        at="accuracy = hits / (",
        effect=lambda wrong, right: wrong.accuracy < 0.9 * wrong.sound and right.accuracy == right.sound,
    ),
    Wrong(
        "parameters_unheld_le1",
        "The optimizer was made of what needed gradients while the body was frozen; thawed, it is not given to it.",
        at="tuner = torch.optim.Adam(",
        effect=lambda wrong, right: wrong.moved == 0 and right.moved > 0.1,
    ),
    Wrong(
        "tested_on_train_f1",
        "One network goes through all folds, and each is scored after it was trained on.",
        at="return mse(net(x), y)",
        effect=lambda wrong, right: wrong.rmse < 0.9 * right.rmse,
    ),
]
