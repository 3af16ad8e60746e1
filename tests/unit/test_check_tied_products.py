"""Output weights that begin as a copy of the embedding, where the outputs are products that the model writes itself."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from truestep.check.rules import judge
from truestep.check.watch import Watching

WORDS, WIDTH = 11, 6


class Words(nn.Module):
    """Guesses the next word of a word."""

    def __init__(self, weight_of, product):
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.weight = weight_of(self.table)
        self.product = product

    def forward(self, words):
        return self.product(torch.tanh(self.mix(self.table(words))), self.weight)


def judged(weight_of, product):
    words = torch.randint(0, WORDS, (96,))
    net = Words(weight_of, product)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    with Watching(strict=True) as seen:
        for part in torch.arange(96).split(16):
            optimizer.zero_grad()
            F.cross_entropy(net(words[part]), (3 * words[part] + 1) % WORDS).backward()
            optimizer.step()
    return judge(seen.trace, ["broken_tie"], strict=True)


def _copied(table):
    return nn.Parameter(table.weight.detach().clone())


def _turned(table):
    return nn.Parameter(table.weight.detach().t().clone())


def _ones(table):
    nn.init.eye_(table.weight)
    return nn.Parameter(torch.eye(WORDS, WIDTH))


WRONG = {
    "at": (_copied, lambda hidden, weight: hidden @ weight.T),
    "matmul": (_copied, lambda hidden, weight: torch.matmul(hidden, weight.transpose(0, 1))),
    "einsum": (_copied, lambda hidden, weight: torch.einsum("nw,vw->nv", hidden, weight)),
    "turned": (_turned, lambda hidden, weight: hidden.mm(weight)),
}
SOUND = {
    "tied": (lambda table: table.weight, lambda hidden, weight: hidden @ weight.T),
    "drawn anew": (lambda table: nn.Parameter(torch.randn(WORDS, WIDTH)), lambda hidden, weight: hidden @ weight.T),
    "ones": (_ones, lambda hidden, weight: hidden @ weight.T),
    "scaled": (lambda table: nn.Parameter(0.1 * table.weight.detach()), lambda hidden, weight: hidden @ weight.T),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_factor_that_begins_as_a_copy_of_the_embedding_is_found(name):
    (found,) = judged(*WRONG[name])
    assert found.message == "Words.weight starts as a copy of Words.table.weight and is trained alone"
    assert found.level == "warning"


@pytest.mark.parametrize("name", SOUND)
def test_a_factor_that_is_the_embedding_or_another_one_is_sound(name):
    assert not judged(*SOUND[name])
