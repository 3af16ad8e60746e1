"""Several ranks: these programs are also run by two processes."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "wrapper_bypassed_a",
        ("The model is wrapped for several ranks, and the loop calls the bare model: gradients are never averaged."),
        at="loss = loss_fn(model(x[idx]), y[idx])",
        effect=lambda wrong, right: wrong.spread > 0.01 and right.spread < 1e-6,
        ranks=2,
    ),
    Wrong(
        "wrapper_bypassed_b",
        ("training_step reaches through the wrapper (self.model.module), so the reduction hooks of forward never run."),
        at="return nn.functional.mse_loss(self.model.module(series), nxt)",
        effect=lambda wrong, right: wrong.spread > 0.01 and right.spread < 1e-6,
        ranks=2,
    ),
    Wrong(
        "ranks_drift_a",
        (
            "Every rank seeds with its own number before it builds the model, and averaging gradients by hand "
            "never makes the different starts equal."
        ),
        at="torch.manual_seed(1000 + rank)",
        effect=lambda wrong, right: wrong.spread > 0.01 and right.spread < 1e-6,
        ranks=2,
    ),
    Wrong(
        "ranks_drift_b",
        "The checkpoint is loaded on rank 0 alone, after the wrapper has made the ranks equal.",
        at="if rank == 0:  # one reader is enough",
        effect=lambda wrong, right: wrong.spread > 0.01 and right.spread < 1e-6,
        ranks=2,
    ),
    Wrong(
        "wrapper_bypassed_c",
        "The loss is a method of the model and is called on the module inside the wrapper.",
        at="loss = model.module.loss(",
        effect=lambda wrong, right: wrong.spread > 0.01 and right.spread < 1e-6,
        ranks=2,
    ),
]
