"""Losses."""

import math

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "softmax_twice_a",
        "The network ends in Softmax and CrossEntropyLoss applies its own on top.",
        at="nn.Softmax(dim=1),",
        effect=lambda wrong, right: wrong.logloss > 1.5 * right.logloss,
    ),
    Wrong(
        "softmax_twice_b",
        ("forward returns probabilities and the training step hands them to F.cross_entropy, which takes logits."),
        at="loss = F.cross_entropy",
        effect=lambda wrong, right: wrong.floor > 0.3 and right.floor < 0.2,
    ),
    Wrong(
        "softmax_twice_l1",
        "Probabilities in bfloat16, whose sums are hardly one, go into cross entropy.",
        at="loss = nn.functional.cross_entropy",
        effect=lambda wrong, right: wrong.loss > 5 * right.loss,
    ),
    Wrong(
        "softmax_twice_c",
        ("The teacher-forced tagger returns softmax outputs, and the label-smoothed criterion normalises once more."),
        at="loss = loss_function(",
        effect=lambda wrong, right: wrong.loss > right.loss + 0.2,
    ),
    Wrong(
        "sigmoid_twice_a",
        ("The classifier ends in Sigmoid and is trained with BCEWithLogitsLoss, which applies the sigmoid again."),
        at="self.sigmoid = nn.Sigmoid()",
        effect=lambda wrong, right: wrong.loss > 2 * right.loss,
    ),
    Wrong(
        "sigmoid_twice_b",
        "Multi-label scores are squashed and then given to the functional loss with logits.",
        at="binary_cross_entropy_with_logits",
        effect=lambda wrong, right: wrong.f1 < right.f1 - 0.05,
    ),
    Wrong(
        "sigmoid_twice_c",
        "The scores are squashed by hand, 1 / (1 + exp(-x)), and then given to a loss with logits.",
        at="loss = loss_fn(",
        effect=lambda wrong, right: wrong.loss > right.loss + 0.02,
    ),
    Wrong(
        "log_missing_a",
        "NLLLoss receives probabilities; it wants their logarithm.",
        at="return F.softmax(self.fc2(x), dim=1)",
        effect=lambda wrong, right: wrong.loss < 0 and right.loss > 0 and wrong.logloss > 1.5 * right.logloss,
    ),
    Wrong(
        "log_missing_b",
        "kl_div is given probabilities as its first argument, where it expects log-probabilities.",
        at="loss = kl(nn.functional.softmax(logits / T, dim=-1), soft_targets[b]) * T * T",
        effect=lambda wrong, right: wrong.true_kl > 3 * right.true_kl,
    ),
    Wrong(
        "log_missing_c",
        ("A character RNN returns softmax probabilities, and F.nll_loss takes their mean for a mean of logarithms."),
        at="F.nll_loss",
        effect=lambda wrong, right: wrong.loss < 0 and right.loss > 0,
    ),
    Wrong(
        "softmax_dim_a",
        "log_softmax runs over dim 0, the batch: each class is normalised over the samples.",
        at="log_softmax = nn.LogSoftmax(dim=0)",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.15,
    ),
    Wrong(
        "softmax_dim_b",
        "The attention weights are normalised over the queries (dim 1) instead of the keys (dim 2).",
        at="self.weights = torch.softmax(scores, dim=1)",
        effect=lambda wrong, right: wrong.row_sum_error > 0.1 and right.row_sum_error < 1e-4,
    ),
    Wrong(
        "softmax_dim_c",
        "log_softmax runs over the nodes of a graph (dim 0), and a mask of the labelled ones hides the shape.",
        at="return F.log_softmax(links @ self.second(x), dim=0)",
        effect=lambda wrong, right: wrong.total > 0.1 and right.total < 1e-4,
    ),
    Wrong(
        "softmax_dim_d",
        "The attention weights of (batch, heads, queries, keys) are normalised over the heads.",
        at="self.outward, self.softmax = nn.Linear(width, 1), nn.Softmax(dim=1)",
        effect=lambda wrong, right: wrong.row_sum_error > 0.1 and right.row_sum_error < 1e-4,
    ),
    Wrong(
        "broadcast_e",
        "The bootstrapped target adds a row of rewards to a column of values: a table of targets.",
        at="target = reward[rows] + gamma * alive[rows] * lagging(then[rows])",
        effect=lambda wrong, right: wrong.error > 2 * right.error,
    ),
    Wrong(
        "broadcast_a",
        "Predictions are (N, 1) and targets (N,), so MSELoss compares every prediction with every target.",
        at="loss = criterion(",
        effect=lambda wrong, right: wrong.mse > 5 * right.mse,
    ),
    Wrong(
        "broadcast_b",
        "(pred - y) with shapes (N, 1) and (N,) is an N by N table; no loss module is there to warn.",
        at="loss = huber(model(X), y)",
        effect=lambda wrong, right: wrong.r2 < 0.3 and right.r2 > 0.8,
    ),
    Wrong(
        "broadcast_l1",
        "A row of weights times a column of squared errors: every error gets every weight.",
        at="loss = (weights * squares)",
        effect=lambda wrong, right: wrong.final > 3 * right.final,
    ),
    Wrong(
        "broadcast_c",
        "The TD target keeps the shape (B,) of the rewards while the gathered Q values are (B, 1).",
        at="F.smooth_l1_loss",
        effect=lambda wrong, right: wrong.error > 2 * right.error,
    ),
    Wrong(
        "broadcast_d",
        "The predictions keep a dimension, (N, 1) against (N,), so the accuracy counts all pairs of samples.",
        at="(pred == y_test)",
        effect=lambda wrong, right: wrong.accuracy < 0.7 and right.accuracy > 0.85,
    ),
    Wrong(
        "sum_with_mean_rate_a",
        'reduction="sum" over 64 samples with the rate 0.1 that suits the mean.',
        at='reduction="sum"',
        effect=lambda wrong, right: not wrong.loss < 2 * right.loss,
        also=("rate_too_large",),
    ),
    Wrong(
        "sum_with_mean_rate_b",
        "The squared errors are summed over 100 rows and 3 outputs, and SGD has a rate chosen for the mean.",
        at="return ((y_hat - y) ** 2).sum()",
        effect=lambda wrong, right: not wrong.loss < 10 * right.loss,
        also=("rate_too_large", "nonfinite"),
    ),
    Wrong(
        "padding_counted_a",
        "The padded positions are targets like any other, so most of the loss is about predicting padding.",
        at="criterion = nn.CrossEntropyLoss",
        effect=lambda wrong, right: wrong.token_loss > 1.1 * right.token_loss and wrong.reported < 0.7 * right.reported,
    ),
    Wrong(
        "padding_counted_b",
        (
            "Sequences of different lengths are zero-padded and the masked error is divided by all positions, "
            "padding included."
        ),
        at=".mean()  # per step",
        effect=lambda wrong, right: wrong.reported < 0.6 * right.reported,
    ),
    Wrong(
        "padding_counted_c",
        "A collate function fills up with zeros and hands out a mask, and the loss averages every place.",
        at="loss = error.mean()",
        effect=lambda wrong, right: wrong.mse > 1.1 * right.mse,
    ),
    Wrong(
        "padding_counted_d",
        "Sentences are filled up by hand in a list, behind a token for their end, and every place counts.",
        at="loss = F.cross_entropy(",
        effect=lambda wrong, right: wrong.ce > right.ce + 0.005,
    ),
    Wrong(
        "targets_unshifted_a",
        "The language model is asked for the token that it was just given: x and y are the same slice.",
        at="y = torch.stack([data[i : i + block_size] for i in ix])",
        effect=lambda wrong, right: wrong.next_token_loss > 2 * right.next_token_loss and wrong.loss < 0.2 * right.loss,
    ),
    Wrong(
        "targets_unshifted_b",
        "The forecaster is scored against its own input window instead of the window one step later.",
        at="future = self.series[i : i + self.width]",
        effect=lambda wrong, right: wrong.forecast_mse > 3 * right.forecast_mse,
    ),
    Wrong(
        "targets_unshifted_c",
        "The window of a series and its target begin at the same place; the loss is written by hand.",
        at="y = torch.stack([series[i + 0",
        effect=lambda wrong, right: wrong.err > 1.5 * right.err,
    ),
    Wrong(
        "output_range_a",
        "The regression network ends in Sigmoid, but the targets run from -3 to 3.",
        at="nn.Sigmoid(),",
        effect=lambda wrong, right: wrong.mse > 4 * right.mse,
    ),
    Wrong(
        "output_range_b",
        "The decoder ends in tanh while the data were scaled to [0, 255] / 50, up to 5.",
        at="decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 64), nn.Tanh())",
        effect=lambda wrong, right: wrong.error > 5 * right.error,
    ),
    Wrong(
        "output_range_c",
        "A ReLU after the last layer: the steering angle can never be negative.",
        at="x = F.relu(self.fc2(x))",
        effect=lambda wrong, right: wrong.mae > 2 * right.mae,
    ),
    Wrong(
        "samples_mixed_a",
        "The LSTM's output is (time, batch, hidden) and view(batch, -1) cuts rows across the samples.",
        at="return self.fc(out.contiguous().view(x.size(0), -1))",
        effect=lambda wrong, right: wrong.accuracy < 0.75 and right.accuracy > 0.85,
    ),
    Wrong(
        "samples_mixed_b",
        (
            'reshape(time, batch, features) was used where a transpose was meant: each "sequence" is made of '
            "pieces of several samples."
        ),
        at="time_major = x.reshape(T, B, F)",
        effect=lambda wrong, right: wrong.loss > 2 * right.loss,
    ),
    Wrong(
        "samples_mixed_c",
        "The outputs are stacked over time, (time, batch, hidden), and viewed as (batch, time, hidden).",
        at="hidden = torch.stack(outs).view(B, T, -1)",
        effect=lambda wrong, right: wrong.loss > 1.5 * right.loss,
    ),
    Wrong(
        "nonfinite_a",
        (
            "Cross entropy by hand on features in raw units takes the log of a probability that is exactly "
            "zero: 0 * -inf is nan."
        ),
        at="torch.log(p)",
        effect=lambda wrong, right: math.isnan(wrong.loss) and math.isfinite(right.loss) and right.accuracy > 0.9,
    ),
    Wrong(
        "nonfinite_b",
        ("The square root of a distance that is exactly zero (each point to itself) has an infinite derivative."),
        at="return squared.sqrt()",
        effect=lambda wrong, right: math.isnan(wrong.stress) and right.stress < 1,
    ),
    Wrong(
        "nonfinite_c",
        "Features are divided by their standard deviation inside the batch; a constant column gives 0 / 0.",
        at="return (x - x.mean(0)) / x.std(0)",
        effect=lambda wrong, right: math.isnan(wrong.loss) and right.loss < 1.5,
    ),
    Wrong(
        "samples_mixed_r1",
        "Attention runs over the rows of all samples, flattened into one line.",
        at="rows = x.reshape(batch * steps, features)",
        effect=lambda wrong, right: wrong.apart > 1e-4 and right.apart < 1e-5,
    ),
    Wrong(
        "targets_unshifted_r1",
        "A cell is asked, step by step, for the value that it was just given.",
        at="loss = nn.functional.mse_loss(",
        effect=lambda wrong, right: wrong.ahead > 1.5 * right.ahead,
    ),
    Wrong(
        "softmax_dim_r1",
        "The weights of an attention pooling add up over the samples of the batch.",
        at="weights = torch.softmax(",
        effect=lambda wrong, right: wrong.apart > 1e-3 and right.apart < 1e-5,
    ),
    Wrong(
        "padding_counted_da1",
        "The squared errors of all places are averaged, those of visits that never were too.",
        at="loss = ((net(x) - y) ** 2)",
        effect=lambda wrong, right: wrong.loss < 0.75 * right.loss,
    ),
    Wrong(
        "samples_mixed_da1",
        "Steps come first, and a reshape in place of a permutation gives each sample pieces of others.",
        at="x = x.reshape(",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.2,
    ),
    Wrong(
        "softmax_dim_da1",
        "A single state is given to a softmax over the batch: each action has the probability 1.",
        at="dim=0",
        effect=lambda wrong, right: wrong.won < 0.4 < 0.6 < right.won,
    ),
    Wrong(
        "sum_with_mean_rate_da1",
        "The summed loss takes the rate of a mean; the first updates drive every unit to its end.",
        at="nn.MSELoss(reduction=",
        effect=lambda wrong, right: wrong.error > 5 * right.error,
    ),
    Wrong(
        "samples_mixed_n1",
        "A row of digits is laid across eight streams, where each was to have a stretch of it.",
        at="streams = usable.reshape(-1, STREAMS)",
        effect=lambda wrong, right: wrong.hits < 0.6 and right.hits > 0.9,
    ),
]
