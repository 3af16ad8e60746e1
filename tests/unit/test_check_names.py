"""A finding calls a tensor what the program calls it, in lists and dicts too."""

import numpy as np
import pytest
import torch

from truestep.check.names import of_names
from truestep.check.numbers import Numbers


@pytest.mark.parametrize("held", [["w", "b"], {"w": 0, "b": 1}])
def test_weights_go_by_their_place(held):
    weights = [torch.ones(2, 3).requires_grad_(), torch.zeros(3).requires_grad_()]
    params = weights if isinstance(held, list) else dict(zip(held, weights, strict=True))
    numbers = Numbers()
    found = of_names({"params": params}, numbers)
    names = ["params[0]", "params[1]"] if isinstance(held, list) else ["params['w']", "params['b']"]
    assert [found[name][:2] for name in names] == [("tensor", numbers.of(each)) for each in weights]


def test_a_list_of_losses_or_data_is_told_as_a_whole():
    losses = [torch.ones(1).requires_grad_() * 2, torch.zeros(3)]
    assert [name for name in of_names({"losses": losses}, Numbers()) if name != "losses"] == []


def test_a_number_of_numpys_is_told_as_pythons_own():
    told = of_names({"reward": np.float64(1.5), "steps": np.int64(3), "done": True}, Numbers())
    assert {name: type(value) for name, value in told.items()} == {"reward": float, "steps": int, "done": bool}
    assert told["reward"] != ("module", 1)
