"""Schedules and rates."""

import math

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "schedule_before_optimizer_a",
        "scheduler.step() comes before optimizer.step(), so the first rate of the schedule is never used.",
        at="scheduler.step()",
        effect=lambda wrong, right: wrong.first_rate < 0.95 * right.first_rate,
    ),
    Wrong(
        "schedule_before_optimizer_b",
        ("Inside the batch loop the scheduler moves before the optimizer, so the warm-up's first step is skipped."),
        at="scheduler.step()",
        effect=lambda wrong, right: wrong.first_rate > 1.9 * right.first_rate,
    ),
    Wrong(
        "schedule_by_batch_a",
        (
            "StepLR was meant to cut the rate every 5 epochs and is stepped for every batch: after one epoch "
            "nothing is left of it."
        ),
        at="scheduler.step()",
        effect=lambda wrong, right: wrong.rate < 1e-6 and right.rate > 1e-3 and wrong.accuracy < right.accuracy - 0.1,
    ),
    Wrong(
        "schedule_by_batch_b",
        (
            "CosineAnnealingLR has T_max = number of epochs but is stepped for each batch, so the rate swings "
            "up and down several times instead of falling once."
        ),
        at="sched.step()",
        effect=lambda wrong, right: wrong.rises > 0 and right.rises == 0,
    ),
    Wrong(
        "schedule_by_epoch_a",
        (
            "OneCycleLR was built for epochs * batches steps and is stepped once an epoch; the rate never "
            "leaves the start of the warm-up."
        ),
        at="scheduler.step()",
        effect=lambda wrong, right: wrong.highest < 0.3 * right.highest,
    ),
    Wrong(
        "schedule_by_epoch_b",
        (
            "The warm-up of forty steps is counted in epochs: after ten epochs the rate has reached a quarter "
            "of its value."
        ),
        at="scheduler.step()",
        effect=lambda wrong, right: wrong.rate < 0.3 * right.rate,
    ),
    Wrong(
        "schedule_by_epoch_c",
        "CosineAnnealingLR gets T_max in steps and is stepped once an epoch: the rate hardly falls.",
        at="scheduler.step()",
        effect=lambda wrong, right: wrong.last_rate > 10 * right.last_rate,
    ),
    Wrong(
        "schedule_never_a",
        "A scheduler is created and never stepped.",
        at="scheduler =",
        effect=lambda wrong, right: wrong.last_rate == 0.1 and right.last_rate < 0.02,
    ),
    Wrong(
        "schedule_never_b",
        "The trainer keeps a scheduler and its epoch hook, which nobody calls.",
        at="self.scheduler = MultiStepLR(",
        effect=lambda wrong, right: wrong.rate > 50 * right.rate,
    ),
    Wrong(
        "schedule_never_l1",
        "A sequence of two schedules is built and never stepped: all of the training runs at the warm-up's first rate.",
        at="plan = schedules.SequentialLR",
        effect=lambda wrong, right: wrong.loss > 3 * right.loss,
    ),
    Wrong(
        "plateau_mode_a",
        (
            'The plateau scheduler watches the accuracy with mode="min": the better the model gets, the '
            "smaller the rate."
        ),
        at="ReduceLROnPlateau(optimizer",
        effect=lambda wrong, right: wrong.rate < 0.2 * right.rate and wrong.accuracy < right.accuracy,
    ),
    Wrong(
        "plateau_mode_b",
        'mode="max" for a loss that should fall: the rate is cut although training is going well.',
        at='"mode":',
        effect=lambda wrong, right: wrong.rate < 0.1 * right.rate and wrong.loss > 1.3 * right.loss,
    ),
    Wrong(
        "rate_too_large_a",
        "Adam with a rate of 1.0: every weight is thrown about by one each step.",
        at="lr=1.0",
        effect=lambda wrong, right: wrong.loss > 3 * right.loss,
    ),
    Wrong(
        "rate_too_large_b",
        (
            "Gradient descent with a rate of 0.6 on a regression in tanh units: every step overshoots more "
            "than the last."
        ),
        at="learning_rate = 0.6",
        effect=lambda wrong, right: wrong.loss > 5 * right.loss,
        also=("nonfinite",),
    ),
    Wrong(
        "rate_too_large_c",
        (
            "Momentum SGD at 20 on a logistic regression: the boundary is thrown from side to side and the "
            "loss stays far above that of a coin."
        ),
        at="lr=20",
        effect=lambda wrong, right: wrong.loss > 5 * right.loss and math.isfinite(wrong.loss),
    ),
    Wrong(
        "rate_too_small_a",
        "SGD with lr=1e-7: after all epochs the weights have moved by a ten-thousandth of a per cent.",
        at="lr=1e-7",
        effect=lambda wrong, right: (
            wrong.relative_change < 1e-4 and right.relative_change > 0.01 and wrong.accuracy < right.accuracy - 0.1
        ),
    ),
    Wrong(
        "rate_too_small_b",
        "Adam's rate was written 1e-8, the value of its eps.",
        at="lr=1e-8",
        effect=lambda wrong, right: wrong.loss > 2 * right.loss and wrong.moved < 1e-4,
    ),
    Wrong(
        "schedule_by_epoch_d",
        "The milestones are counted in batches and the scheduler is stepped by epochs: none is ever reached.",
        at="    scheduler.step()",
        effect=lambda wrong, right: wrong.last == 0.1 and right.last < 0.002,
    ),
    Wrong(
        "schedule_by_epoch_e",
        "The factor was made to bring the rate to a hundredth in all batches, and is applied once an epoch.",
        at="    scheduler.step()",
        effect=lambda wrong, right: wrong.last > 0.07 and right.last < 0.002,
    ),
    Wrong(
        "schedule_by_epoch_f",
        "Warm-up and cosine are counted in batches and stepped by epochs: the rate hardly falls.",
        at="    scheduler.step()",
        effect=lambda wrong, right: wrong.last > 0.009 and right.last < 1e-4,
    ),
    Wrong(
        "schedule_never_c",
        "The optimizer is built anew after the scheduler, which goes on moving the rate of the old one.",
        at="scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)",
        effect=lambda wrong, right: wrong.last == 0.02 and right.last < 1e-6,
    ),
    Wrong(
        "plateau_mode_c",
        'R2 rises as the model gets better, and the scheduler waits with mode="min" for it to fall.',
        at="ReduceLROnPlateau(",
        effect=lambda wrong, right: wrong.last < 1e-4 and right.last > 10 * wrong.last and wrong.score < right.score,
    ),
    Wrong(
        "rate_too_small_c",
        "The rate of the update by hand lacks a few powers of ten: the weights stay where they are.",
        at="lr = 1e-7",
        effect=lambda wrong, right: wrong.loss > 0.6 and right.loss < 0.4,
    ),
    Wrong(
        "rate_too_large_m1",
        "RMSprop has a rate of 0.5, and the transformer ends worse than a constant would be.",
        at="opt = torch.optim.RMSprop",
        effect=lambda wrong, right: wrong.loss > 2 * wrong.constant and right.loss < 0.5 * right.constant,
        also=("dead_units",),
    ),
    Wrong(
        "plateau_mode_m1",
        "The scheduler is given the intersection over union, which rises, and waits for it to fall.",
        at="sched = torch.optim.lr_scheduler.ReduceLROnPlateau",
        effect=lambda wrong, right: wrong.rate < 0.1 * right.rate,
    ),
    Wrong(
        "schedule_by_epoch_gr1",
        "A factor of 0.998 was meant for each of 400 updates; ten epochs take two hundredths of the rate.",
        at="    sched.step()",
        effect=lambda wrong, right: wrong.rate > 2 * right.rate,
    ),
    Wrong(
        "schedule_by_epoch_gr2",
        "A decay as one over the updates is stepped by epochs, so the rate stays where it was.",
        at="    sched.step()",
        effect=lambda wrong, right: wrong.rate > 1.4 * right.rate,
    ),
    Wrong(
        "schedule_by_batch_gr1",
        "A factor of 0.95 an epoch is taken for every batch: most of the training has no rate to speak of.",
        at="        sched.step()",
        effect=lambda wrong, right: wrong.rate < 1e-3 * right.rate,
    ),
    Wrong(
        "schedule_by_batch_gr2",
        "Stairs of five epochs are five batches long, two in every epoch.",
        at="        sched.step()",
        effect=lambda wrong, right: wrong.rate < 0.05 * right.rate,
    ),
    Wrong(
        "rate_too_small_gr1",
        "The step by hand is so small that the weights, whose gradients come from autograd.grad, stay where they are.",
        at="p -= 2e-7 * g",
        effect=lambda wrong, right: wrong.last > 0.8 * wrong.first and right.last < 0.1 * right.first,
    ),
    Wrong(
        "plateau_mode_gr1",
        "A plateau of the held-out loss is waited for with the mode of a score; one line reads both losses.",
        at='"mode": "max"',
        effect=lambda wrong, right: wrong.rate < 0.1 * right.rate,
    ),
]
