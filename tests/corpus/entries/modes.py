"""Modes of training and evaluation."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "train_in_eval_a",
        (
            "model.train() is called once before the loop and validate() leaves the model in eval mode, so "
            "every epoch but the first trains without dropout and batch statistics."
        ),
        at="model.eval()",
        effect=lambda wrong, right: wrong.batches_normalised == 10 and right.batches_normalised == 60,
    ),
    Wrong(
        "train_in_eval_b",
        (
            "The pretrained network is put in eval mode at load time and fine-tuned like that: its batch norm "
            "keeps the old domain's statistics."
        ),
        at="net.eval()",
        effect=lambda wrong, right: wrong.stale > 1 and right.stale < 0.5,
    ),
    Wrong(
        "train_in_eval_c",
        "After each validation, model.train is named and not called; from the second epoch on dropout is off.",
        at="model.train",
        effect=lambda wrong, right: wrong.overfit > 1.1 * right.overfit,
    ),
    Wrong(
        "eval_in_train_a",
        "The test loop runs without model.eval(), so half of the hidden units are dropped while scoring.",
        at="def test(model, loader):",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.04,
    ),
    Wrong(
        "eval_in_train_b",
        (
            "Predictions for single patients are made in train mode: batch norm uses the statistics of each "
            "small query and also updates its running averages."
        ),
        at="def predict(self, x):",
        effect=lambda wrong, right: (
            wrong.updates > right.updates and wrong.disagreement > 0.02 and right.disagreement < 1e-5
        ),
    ),
    Wrong(
        "eval_in_train_c",
        "model.eval without parentheses only names the method: validation runs in train mode.",
        at="model.eval",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.03,
    ),
    Wrong(
        "functional_dropout_a",
        "F.dropout is called without training=self.training and drops in evaluation too.",
        at="x = F.dropout(x, p=0.4)",
        effect=lambda wrong, right: wrong.spread > 0.01 and right.spread == 0,
    ),
    Wrong(
        "functional_dropout_b",
        "A Dropout module is built inside forward; it is always in train mode.",
        at="return self.out(nn.Dropout(p=0.25)(h))",
        effect=lambda wrong, right: wrong.spread > 0.01 and right.spread == 0,
        also=("made_in_forward",),
    ),
    Wrong(
        "batchnorm_single_a",
        (
            "Batches of one: batch norm takes its statistics from the pixels of a single image, so what the "
            "network learned does not hold with running statistics."
        ),
        at="batch_size=1",
        effect=lambda wrong, right: wrong.loss > 1.3 * right.loss,
    ),
    Wrong(
        "batchnorm_single_b",
        "The stream is learned one signal at a time through BatchNorm1d over (1, channels, time).",
        at="for i in torch.randperm(200):",
        effect=lambda wrong, right: wrong.loss > 1.3 * right.loss,
    ),
    Wrong(
        "eval_in_train_d",
        "The phase is not passed on to train(), so the LSTM drops between its layers in the validation as well.",
        at="model.train(True)",
        effect=lambda wrong, right: right.gap < 1e-6 and wrong.gap > 0.005,
    ),
    Wrong(
        "functional_dropout_c",
        "The block is told True for training wherever it is called, so validation runs with units missing.",
        at="x = block(x, layer, 0.25, True)",
        effect=lambda wrong, right: right.noise == 0 and wrong.noise > 0.1,
    ),
    Wrong(
        "functional_dropout_d",
        "training=True stands in the call itself, so every accuracy is that of a crippled network.",
        at="training=True",
        effect=lambda wrong, right: right.noise == 0 and wrong.noise > 0.1,
    ),
    Wrong(
        "functional_dropout_m1",
        "F.dropout is told nothing of the mode, and the evaluation never calls eval() either.",
        at="return self.b(F.dropout(",
        effect=lambda wrong, right: right.noise == 0 and wrong.noise > 0.1,
    ),
    Wrong(
        "batchnorm_single_gr1",
        "One image at a time: batch norm takes out its level, which is what the classes differ in.",
        at="DataLoader(",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.2,
    ),
    Wrong(
        "eval_in_train_mr1",
        "The teacher still drops units while the student learns from it: the same sample has other targets each time.",
        at="fit(student,",
        effect=lambda wrong, right: right.noise == 0 and wrong.noise > 0.1,
    ),
]
