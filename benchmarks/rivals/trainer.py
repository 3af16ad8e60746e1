"""The Trainer of transformers: as it comes, and by hand with `compute_loss_func` and its `num_items_in_batch`."""

import tempfile
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

from rivals.problem import Outcome, Problem, by_hand_only_for


class Network(nn.Module):
    """The same network in the form that the Trainer wants: a dictionary with the loss in it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem, self.net = problem, problem.model

    def forward(self, inputs: Tensor, labels: Any = None) -> dict[str, Any]:
        output = self.net(inputs)
        if labels is None:
            return {"logits": output}
        return {"loss": self.problem.loss(output, labels), "logits": output}


class OwnLoaders(Trainer):
    """Ready loaders go in by overriding these two, as their documentation says."""

    problem: Problem

    def get_train_dataloader(self) -> Any:
        loader = self.problem.loader(form=_form)
        return loader if self.problem.ranks > 1 and not self.problem.resample else self.accelerator.prepare(loader)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        return self.accelerator.prepare(self.problem.loader(self.problem.valid, form=_form))


def _form(batch: tuple[Any, Any]) -> dict[str, Any]:
    return {"inputs": batch[0], "labels": batch[1]}


def train(problem: Problem) -> Outcome:
    by_hand_only_for(problem, "update", "valid_loss")
    extras: dict[str, Any] = {}
    note = "TrainingArguments(gradient_accumulation_steps=...)"
    if problem.by_hand and problem.wants == "update":
        problem.only_labels_counted("num_items_in_batch")
        note, extras["compute_loss_func"] = "compute_loss_func divides a sum by num_items_in_batch", _divided(problem)
    elif problem.by_hand:
        note, extras["compute_metrics"] = "compute_metrics over all predictions", _again(problem)
    with tempfile.TemporaryDirectory() as folder:
        trainer = OwnLoaders(
            Network(problem),
            _arguments(problem, folder),
            train_dataset=problem.data,
            eval_dataset=problem.valid,
            optimizers=(problem.optimizer(), None),
            **extras,
        )
        trainer.problem = problem
        trainer.train()
        figures = {name: value for entry in trainer.state.log_history for name, value in entry.items()}
    return Outcome(figures.get("loss"), figures.get("eval_whole", figures.get("eval_loss")), note)


def _arguments(problem: Problem, folder: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=folder,
        use_cpu=True,
        per_device_train_batch_size=problem.micro,
        gradient_accumulation_steps=problem.accumulate,
        num_train_epochs=problem.epochs,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        logging_strategy="epoch",
        eval_strategy="no" if problem.valid is None else "epoch",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        accelerator_config={"even_batches": not problem.by_hand},
    )


def _divided(problem: Problem) -> Any:
    def loss(outputs: Mapping[str, Any], labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
        return problem.total(outputs["logits"], labels) / num_items_in_batch

    return loss


def _again(problem: Problem) -> Any:
    def figures(found: Any) -> dict[str, float]:
        logits, labels = torch.from_numpy(found.predictions), torch.from_numpy(found.label_ids)
        return {"whole": float(problem.loss(logits, labels))}

    return figures
