"""Keras on torch: `fit` with an optimizer that accumulates, the loss through `compute_loss`."""

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras

from rivals.problem import NotOffered, Outcome, Problem


class Network(keras.Model):
    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem, self.net = problem, keras.layers.TorchModuleWrapper(problem.model)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.net(inputs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        return self.problem.loss(y_pred, y)


def train(problem: Problem) -> Outcome:
    if problem.by_hand:
        raise NotOffered("no hook for a count beside torch's own mean")
    if problem.ranks > 1:
        raise NotOffered("fit runs on one process with torch")
    steps = {"gradient_accumulation_steps": problem.accumulate} if problem.accumulate > 1 else {}
    model = Network(problem)
    model.compile(optimizer=keras.optimizers.SGD(problem.lr, **steps))
    valid = None if problem.valid is None else problem.loader(problem.valid)
    found = model.fit(problem.loader(), epochs=problem.epochs, validation_data=valid, verbose=0, shuffle=False)
    last = {name: values[-1] for name, values in found.history.items()}
    return Outcome(last.get("loss"), last.get("val_loss"), "SGD(gradient_accumulation_steps=...), compute_loss")
