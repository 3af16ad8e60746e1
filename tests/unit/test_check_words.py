"""Texts that become numbers: in which spelling their words are looked up, and by which mapping."""

import numpy as np
import pytest
import torch
from torch import nn

from truestep.check.rules import judge
from truestep.check.watch import Watching

LOWER = {word: place for place, word in enumerate(["the", "cat", "dog", "sat", "ran", "home"], 2)}
CASED = {**LOWER, "The": 8, "Cat": 9}
KNOWN = ["the cat sat", "the dog ran home", "the dog sat", "cat ran home", "the cat ran", "dog sat home"]
TYPED = ["The Cat sat", "The Dog ran home", "the dog sat", "Cat ran home", "The cat ran", "Dog sat home"]


def listed(texts, mapping, spell):
    rows = [[mapping.get(word, 1) for word in spell(text).split()] for text in texts]
    return torch.tensor([row + [0] * (5 - len(row)) for row in rows])


def array(texts, mapping, spell):
    rows = np.zeros((len(texts), 5), dtype=np.int64)
    for place, text in enumerate(texts):
        for at, word in enumerate(spell(text).split()):
            rows[place, at] = mapping.get(word, 1)
    return torch.from_numpy(rows)


def judged(encode, train, test):
    """What the rule says where training and evaluation are given texts, each with how it is spelt."""
    net = nn.Sequential(nn.Embedding(12, 4), nn.Flatten(), nn.Linear(20, 2))
    optimizer = torch.optim.Adam(net.parameters())
    labels = torch.tensor([0, 1, 1, 0, 0, 1])
    with Watching(strict=True) as seen:
        x = encode(*train)
        for _ in range(4):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), labels).backward()
            optimizer.step()
        with torch.no_grad():
            for each in test:
                (net(encode(*each)).argmax(1) == labels).float().mean().item()
    return judge(seen.trace, ["preprocessing_differs"], strict=True)


@pytest.mark.parametrize("encode", [listed, array])
def test_words_that_are_looked_up_as_they_were_typed_are_found(encode):
    (found,) = judged(encode, (TYPED, LOWER, str.lower), [(TYPED, LOWER, str)])
    assert "'The'" in found.evidence
    assert found.level == "warning"
    (found,) = judged(encode, (KNOWN, LOWER, str), [(TYPED, LOWER, str)])
    assert "of 19 words 7" in found.evidence


@pytest.mark.parametrize("encode", [listed, array])
def test_texts_of_one_spelling_are_sound(encode):
    assert not judged(encode, (TYPED, LOWER, str.lower), [(TYPED, LOWER, str.lower)])
    assert not judged(encode, (TYPED, CASED, str), [(TYPED, CASED, str)])


def test_a_spelling_that_is_tried_out_beside_the_other_is_sound():
    loud = [text.upper() for text in TYPED]
    assert judged(listed, (KNOWN, LOWER, str), [(loud, LOWER, str)])
    assert not judged(listed, (KNOWN, LOWER, str), [(KNOWN, LOWER, str), (loud, LOWER, str)])


def test_a_second_mapping_in_an_array_is_found():
    turned = dict(zip(LOWER, list(LOWER.values())[::-1], strict=True))
    (found,) = judged(array, (KNOWN, LOWER, str), [(KNOWN, turned, str)])
    assert "other numbers" in found.evidence
