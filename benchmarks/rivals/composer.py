"""Composer: the whole batch goes in, `device_train_microbatch_size` splits it; by hand it counts tokens."""

from typing import Any

from composer import Trainer
from composer.core import DataSpec
from composer.metrics.nlp import LanguageCrossEntropy
from composer.models import ComposerModel
from composer.utils import dist
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset
from torchmetrics import Metric

from rivals.problem import NotOffered, Outcome, Problem, by_hand_only_for


class Network(ComposerModel):
    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem, self.net = problem, problem.model
        self.metric = LanguageCrossEntropy() if problem.by_hand else None

    def forward(self, batch: Any) -> Any:
        return self.net(batch[0])

    def loss(self, outputs: Any, batch: Any) -> Tensor:
        return self.problem.loss(outputs, batch[1] if len(batch) == 2 else batch[1:])

    def get_metrics(self, is_train: bool = False) -> dict[str, Metric]:
        return {} if is_train or self.metric is None else {"loss": self.metric}

    def update_metric(self, batch: Any, outputs: Any, metric: Metric) -> None:
        metric.update(outputs.movedim(1, -1).contiguous(), batch[1])


def train(problem: Problem) -> Outcome:
    if problem.wants != "update":
        _refuse_reports(problem)
    by_hand_only_for(problem, "update", "valid_loss")
    if problem.by_hand and len(problem.losses) == 1:
        problem.only_labels_counted("get_num_tokens_in_batch")
    trainer = Trainer(
        model=Network(problem),
        train_dataloader=DataSpec(_loader(problem), get_num_tokens_in_batch=_tokens),
        eval_dataloader=None if problem.valid is None else problem.loader(problem.valid),
        max_duration=f"{problem.epochs}ep",
        optimizers=problem.optimizer(),
        device="cpu",
        device_train_microbatch_size=problem.micro,
        accumulate_train_batch_on_tokens=problem.by_hand and problem.wants == "update",
        progress_bar=False,
    )
    trainer.fit()
    outcome = Outcome(note="device_train_microbatch_size=...")
    if problem.by_hand:
        outcome.note = "get_num_tokens_in_batch, accumulate_train_batch_on_tokens=True"
    if problem.valid is not None:
        outcome.valid_loss = float(trainer.state.eval_metrics["eval"]["loss"].compute())
        outcome.note = "metric LanguageCrossEntropy"
    return outcome


def _refuse_reports(problem: Problem) -> None:
    if problem.wants == "train_loss":
        raise NotOffered("logs the loss of each batch only")
    if not problem.by_hand:
        raise NotOffered("validates by metrics, not by the loss")
    ((_, loss),) = problem.losses.values()
    if getattr(loss, "weight", None) is not None:
        raise NotOffered("LanguageCrossEntropy knows no class weights")


def _tokens(batch: Any) -> int:
    return Problem.count(batch[1])


class _OwnShare(IterableDataset):
    """A rank's own data, which Composer wants as an iterable data set: it refuses others without its sampler."""

    def __init__(self, problem: Problem) -> None:
        self.data = problem.data

    def __iter__(self) -> Any:
        return (self.data[index] for index in range(len(self.data)))

    def __len__(self) -> int:
        return len(self.data)


def _loader(problem: Problem) -> DataLoader:
    if problem.ranks > 1 and not problem.resample:
        return DataLoader(_OwnShare(problem), problem.micro)
    sampler = dist.get_sampler(problem.data, drop_last=False, shuffle=False) if problem.resample else None
    return problem.loader(samples=problem.micro * problem.accumulate, sampler=sampler, form=_flat)


def _flat(batch: Any) -> Any:
    inputs, targets = batch
    return (inputs, *targets) if isinstance(targets, list | tuple) else batch
