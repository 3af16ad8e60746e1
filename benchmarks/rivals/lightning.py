"""Lightning: `Trainer(accumulate_grad_batches=...)` and `self.log(..., on_epoch=True)`."""

from typing import Any

import lightning
from torch import Tensor

from rivals.problem import Outcome, Problem, by_hand_only_for


class Module(lightning.LightningModule):
    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem, self.net = problem, problem.model

    def forward(self, inputs: Tensor) -> Any:
        return self.net(inputs)

    def training_step(self, batch: Any, index: int) -> Tensor:
        loss = self.problem.loss(self(batch[0]), batch[1])
        if self.problem.wants == "train_loss":
            self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        size = {"batch_size": self.problem.weight(batch[1])} if self.problem.by_hand else {}
        self.log("valid_loss", self.problem.loss(self(batch[0]), batch[1]), **size)

    def configure_optimizers(self) -> Any:
        return self.problem.optimizer()


def train(problem: Problem) -> Outcome:
    by_hand_only_for(problem, "valid_loss")
    trainer = lightning.Trainer(
        max_epochs=problem.epochs,
        accumulate_grad_batches=problem.accumulate,
        accelerator="cpu",
        devices=problem.ranks,
        strategy="ddp" if problem.ranks > 1 else "auto",
        use_distributed_sampler=problem.resample,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(problem), problem.loader(), problem.loader(problem.valid) if problem.valid else None)
    figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
    note = "self.log(..., batch_size=the count)" if problem.by_hand else "Trainer(accumulate_grad_batches=...)"
    return Outcome(figures.get("train_loss"), figures.get("valid_loss"), note)
