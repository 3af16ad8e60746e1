"""Nested dicts, lists and tuples, taken apart and put together again."""

import gc
import weakref

import torch

from truestep.core.nesting import flat, rebuilt


def test_what_is_taken_apart_is_put_together_again_and_held_by_nobody():
    tensor = torch.ones(1)
    tree = {"a": [tensor, None], "b": (torch.zeros(2), {})}
    leaves, nesting = flat(tree)
    assert rebuilt(nesting, leaves) == tree
    seen = weakref.ref(tensor)
    gc.disable()  # memory that a cycle holds would be used again only when that is found
    try:
        del tensor, tree, leaves
        assert seen() is None
    finally:
        gc.enable()
