"""Ignite: `create_supervised_trainer(gradient_accumulation_steps=...)` and its metric `Loss`."""

import ignite.distributed as idist
from ignite.engine import create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Loss

from rivals.problem import Outcome, Problem, by_hand_only_for


def train(problem: Problem) -> Outcome:
    by_hand_only_for(problem, "valid_loss")
    model, optimizer, loader = problem.model, problem.optimizer(), None
    if problem.ranks > 1:
        if idist.backend() is None:
            idist.initialize("gloo")
        model, optimizer = idist.auto_model(model), idist.auto_optim(optimizer)
        if problem.resample:
            whole = problem.micro * problem.ranks
            loader = idist.auto_dataloader(problem.data, batch_size=whole, shuffle=False)
    outcome = Outcome(note="create_supervised_trainer(gradient_accumulation_steps=...)")
    reports = {"output_transform": lambda x, y, y_pred, loss: (y_pred, y)} if problem.wants == "train_loss" else {}
    trainer = create_supervised_trainer(
        model, optimizer, problem.loss, gradient_accumulation_steps=problem.accumulate, **reports
    )
    if reports:
        Loss(problem.loss).attach(trainer, "loss")
        outcome.note = "metrics.Loss attached to the trainer"
    trainer.run(loader or problem.loader(), max_epochs=problem.epochs)
    outcome.train_loss = trainer.state.metrics.get("loss")
    if problem.valid is not None:
        size = {"batch_size": problem.weight} if problem.by_hand else {}
        evaluator = create_supervised_evaluator(model, {"loss": Loss(problem.loss, **size)})
        outcome.valid_loss = evaluator.run(problem.loader(problem.valid)).metrics["loss"]
        outcome.note = "metrics.Loss(batch_size=the count)" if problem.by_hand else "metrics.Loss on an evaluator"
    return outcome
