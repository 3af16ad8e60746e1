"""Reporting, selection and checkpoints."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "mean_of_means_a",
        ("The test accuracy is the mean of the accuracies of the batches, and the last batch holds two samples."),
        at="return sum(accs) / len(accs)",
        effect=lambda wrong, right: abs(wrong.accuracy - right.accuracy) > 0.05,
    ),
    Wrong(
        "mean_of_means_b",
        (
            "The epoch's loss divides the sum of batch means by the number of batches although the last batch "
            "has four rows and not fifty."
        ),
        at="/ len(train_iter)",
        effect=lambda wrong, right: abs(wrong.first_epoch - right.first_epoch) > 0.03 * right.first_epoch,
    ),
    Wrong(
        "mean_of_means_c",
        "The loss per token is averaged over batches that hold very different numbers of tokens.",
        at="return float(np.mean(losses))",
        effect=lambda wrong, right: abs(wrong.loss - right.loss) > 0.1 * right.loss,
    ),
    Wrong(
        "wrong_denominator_a",
        ("The loss of a batch is already a mean, and the sum of these means is divided by the number of samples."),
        at="train_loss / len(train_set)",
        effect=lambda wrong, right: 24 < right.train_loss / wrong.train_loss < 26,
    ),
    Wrong(
        "wrong_denominator_b",
        (
            "The accuracy divides by batches times batch size; the last batch is ragged, so even a perfect "
            "model scores below one."
        ),
        at="return correct / (len(loader) * loader.batch_size)",
        effect=lambda wrong, right: wrong.accuracy < 0.9 and right.accuracy > 0.97,
    ),
    Wrong(
        "wrong_denominator_c",
        "test_loss is a sum over samples and is divided by the number of batches.",
        at="test_loss /= len(loader)",
        effect=lambda wrong, right: 45 < wrong.test_loss / right.test_loss < 55,
    ),
    Wrong(
        "wrong_denominator_da1",
        "The bound is a sum over samples, and what is printed is divided by the number of batches.",
        at='print("epoch {} average',
        effect=lambda wrong, right: wrong.average > 10 * right.average,
    ),
    Wrong(
        "wrong_denominator_da2",
        "The accuracy is divided by batches times batch size, and only printed.",
        at="return 100.0 * hits",
        effect=lambda wrong, right: wrong.accuracy < 0.9 * right.accuracy,
    ),
    Wrong(
        "wrong_denominator_mr1",
        "The hits of all epochs so far are divided by the samples of one: the evaluator never sets them back.",
        at="return 100.0 * self.hits",
        effect=lambda wrong, right: wrong.accuracy > 100 > right.accuracy,
    ),
    Wrong(
        "wrong_denominator_mr2",
        "The running loss is never set back, and each print divides it by the batches since the last one.",
        at="print(",
        effect=lambda wrong, right: wrong.last > 3 * right.last and abs(wrong.first - right.first) < 1e-9,
    ),
    Wrong(
        "wrong_denominator_mr3",
        "The hits are those of the last batch, divided by the samples of all.",
        at="right = guess",
        effect=lambda wrong, right: wrong.accuracy < 0.4 and right.accuracy > 0.8,
    ),
    Wrong(
        "wrong_denominator_mr4",
        "The error of the last batch, the oldest cars, is told as that of the whole validation set.",
        at="mae = nn.functional",
        effect=lambda wrong, right: abs(wrong.told - wrong.whole) > 100 * abs(right.told - right.whole),
    ),
    Wrong(
        "wrong_denominator_mr5",
        "The meter is never reset: each accuracy is that of all evaluations so far, the first ones too.",
        at="return self.correct / self.seen",
        effect=lambda wrong, right: right.last > wrong.last + 0.05,
    ),
    Wrong(
        "wrong_denominator_mr6",
        "The error is divided by batches times the size of the last one, which is not full.",
        at="count = len(holdout)",
        effect=lambda wrong, right: 3 < wrong.mse / right.mse < 3.5,
    ),
    Wrong(
        "mean_of_means_mr1",
        "The RMSE is the mean of the roots of the batches' errors, and the last batch is small and far off.",
        at="return sum(roots)",
        effect=lambda wrong, right: abs(wrong.rmse - right.rmse) > 0.05 * right.rmse,
    ),
    Wrong(
        "best_wrong_way_mr1",
        "The keeper takes the larger value unless it is told otherwise, and is given a loss.",
        at='def __init__(self, model, mode="max")',
        effect=lambda wrong, right: wrong.kept > 1.1 * wrong.best and right.kept < 1.001 * right.best,
    ),
    Wrong(
        "selected_by_batch_mr1",
        "The value that is compared is the loss of the last validation batch, of six samples.",
        at="val_loss = criterion",
        effect=lambda wrong, right: wrong.kept > wrong.best + 0.005 and right.kept < right.best + 1e-6,
    ),
    Wrong(
        "best_is_reference_a",
        'best_state = model.state_dict() keeps references, so the "best" weights are those of the last epoch.',
        at="model.state_dict()",
        effect=lambda wrong, right: wrong.restored > wrong.best + 0.02 and abs(right.restored - right.best) < 1e-6,
    ),
    Wrong(
        "best_is_reference_b",
        "Early stopping remembers the model object itself as the best model; training goes on changing it.",
        at="self.best_model = model",
        effect=lambda wrong, right: wrong.returned > wrong.best + 0.02 and abs(right.returned - right.best) < 1e-6,
    ),
    Wrong(
        "best_is_reference_c",
        "state_dict().copy() copies the dict and not the tensors in it.",
        at="best, kept = val, mlp.state_dict().copy()",
        effect=lambda wrong, right: wrong.restored > wrong.best + 0.02 and abs(right.restored - right.best) < 1e-6,
    ),
    Wrong(
        "best_never_updated_a",
        "best_acc is compared but never set, so every epoch counts as the best and the last one is kept.",
        at="if val_acc > best_acc:",
        effect=lambda wrong, right: wrong.saves > right.saves and wrong.kept < right.kept,
    ),
    Wrong(
        "best_never_updated_b",
        "The checkpointer stores the new value under another name than the one it compares with.",
        at="if value < self.best:",
        effect=lambda wrong, right: wrong.kept > right.kept + 0.02,
    ),
    Wrong(
        "best_never_updated_c",
        "The lowest loss is that of the first epoch for ever: each later one below it is kept.",
        at="elif val < lowest:",
        effect=lambda wrong, right: wrong.epochs != right.epochs,
    ),
    Wrong(
        "best_wrong_way_a",
        (
            "The model with the highest validation loss is kept: the comparison was copied from a script that "
            "tracks accuracy."
        ),
        at="best = 0.0",
        effect=lambda wrong, right: wrong.kept > 1.3 * right.kept,
    ),
    Wrong(
        "best_wrong_way_da1",
        "A heap of the three best drops the smallest loss each time, and the best of what is left is loaded.",
        at="entry = (held_out(),",
        effect=lambda wrong, right: wrong.error > 1.2 * right.error,
    ),
    Wrong(
        "best_wrong_way_b",
        (
            "best starts at 0 and a smaller loss is asked for; no epoch can ever beat it and the untrained "
            "weights are returned."
        ),
        at="self.best_error = 0.0",
        effect=lambda wrong, right: wrong.error > 2 * right.error,
    ),
    Wrong(
        "selected_by_batch_a",
        "The checkpoint is chosen by the training loss of single batches, not by the validation loss.",
        at="if loss.item() < best_loss:",
        effect=lambda wrong, right: wrong.val > right.val + 0.02,
    ),
    Wrong(
        "selected_by_batch_b",
        "save_best compares the loss left over from the last training batch of the epoch.",
        at="if loss.item() < self.best:",
        effect=lambda wrong, right: wrong.val > right.val + 0.005,
    ),
    Wrong(
        "selected_by_batch_c",
        "The weights are kept inside the loop over the batches, by the loss of each batch.",
        at="if loss < best_loss:",
        effect=lambda wrong, right: wrong.val > right.val,
    ),
    Wrong(
        "target_is_same_a",
        "target_net is another name for policy_net, so the bootstrap target moves with every update.",
        at="target_net = policy_net",
        effect=lambda wrong, right: wrong.lag == 0 and right.lag > 0,
    ),
    Wrong(
        "target_is_same_b",
        (
            'The mean teacher shares the student\'s modules: its "running average" is the student itself, and '
            "the consistency loss says nothing."
        ),
        at="self.teacher =",
        effect=lambda wrong, right: wrong.consistency == 0 and right.consistency > 0,
    ),
    Wrong(
        "target_is_same_c",
        ("The target's parameters are set with tp.data = p.data, which makes both networks share their storage."),
        at="tp.data = p.data",
        effect=lambda wrong, right: wrong.lag == 0 and right.lag > 0,
    ),
    Wrong(
        "weights_not_loaded_a",
        'The checkpoint\'s names begin with "module."; strict=False swallows that none of them fits.',
        at="strict=False",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.2,
    ),
    Wrong(
        "weights_not_loaded_b",
        "Keys that do not match are filtered out, and after a renaming of the layers nothing is left to load.",
        at="own.update(matching)",
        effect=lambda wrong, right: wrong.first_loss > 3 * right.first_loss,
    ),
    Wrong(
        "weights_not_loaded_c",
        (
            'The file holds {"epoch", "state_dict"}; with strict=False the outer dict is taken for the '
            "weights and fits nowhere."
        ),
        at="strict=False",
        effect=lambda wrong, right: wrong.error > 3 * right.error,
    ),
    Wrong(
        "weights_not_loaded_le1",
        "The weights are read from the file, and the network that serves is a new one that nobody gives them to.",
        at="weights = torch.load(path)",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.2,
    ),
    Wrong(
        "saved_without_optimizer_a",
        "The checkpoint holds the model alone; training resumes with an Adam that has forgotten its moments.",
        at="torch.save(",
        effect=lambda wrong, right: wrong.jump > 2 * right.jump,
    ),
    Wrong(
        "saved_without_optimizer_b",
        "save() of the trainer leaves the momentum out, and resume() starts it from zero.",
        at="torch.save(",
        effect=lambda wrong, right: wrong.momentum == 0 and right.momentum > 0,
    ),
    Wrong(
        "saved_without_optimizer_c",
        ("The scheduler and the model are restored after the interruption; the AdamW moments are not in the file."),
        at="torch.save(",
        effect=lambda wrong, right: wrong.steps_known == 0 and right.steps_known == 40,
    ),
    Wrong(
        "mean_of_means_n1",
        "A perplexity is made of the mean over windows, and the last window is short.",
        at="perplexity = math.exp(sum(",
        effect=lambda wrong, right: wrong.perplexity > 1.5 * right.perplexity,
    ),
    Wrong(
        "best_never_updated_n1",
        "The lowest error of one station's model has to be beaten by the next one's.",
        at="best_epoch = None",
        effect=lambda wrong, right: wrong.gain > 0.05 and right.gain <= 0,
    ),
    Wrong(
        "best_never_updated_m1",
        "Each left-out subject has to beat the best score of those before it.",
        at='if score > top["score"]',
        effect=lambda wrong, right: wrong.mean > right.mean + 0.03,
    ),
]
