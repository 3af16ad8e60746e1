"""The other libraries through their adapters in `rivals/`, with the shuffling `DataLoader` of the tutorials."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader

from rivals import Library
from rivals.problem import Pairs, Problem
from trainings.workload import Training


class Counted(Pairs):
    """Samples that notice when an epoch is over: the first sample of the next one is asked for."""

    training: Training
    given: int

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        self.given += 1
        if self.given % len(self.inputs) == 1 and self.given > 1:
            self.training.ended(self.training.weights)
        return self.inputs[index], self.targets[index]


class Shuffled(Problem):
    def loader(self, data: Any = None, samples: Any = None, sampler: Any = None, form: Any = None) -> DataLoader:
        def collate(rows: Any) -> Any:
            found = torch.utils.data.default_collate(rows)
            return found if form is None else form(found)

        return DataLoader(self.data, self.micro, shuffle=True, collate_fn=collate)


@dataclass(frozen=True)
class Rival:
    library: Library

    def __call__(self, training: Training) -> None:
        data = Counted(*training.data)
        data.training = training
        # Keras looks at a batch beforehand.
        data.given = -training.batch if self.library.title == "Keras" else 0
        losses, size = {"loss": (1.0, training.loss)}, training.batch
        problem = Shuffled(training.model, losses, data, size, lr=training.lr, epochs=training.epochs)
        self.library.load().train(problem)
        training.ended(training.weights)
