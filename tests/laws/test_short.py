"""Steps as ever that are taken in a row are those one by one: weights, draws, records, and what goes wrong."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

import truestep as ts
from laws.step_cases import identical, snapshot
from laws.test_streaks import CASES, data, fitted, told
from truestep.core import kinds, short
from truestep.core.short import Short
from truestep.fit import loop

DESCENT = CASES["descent"]


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps were taken in each row."""
    end, found = Short.end, list[int]()

    def counted(self: Short) -> Any:
        taken = end(self)
        found.extend([taken.times] if taken is not None else [])
        return taken

    monkeypatch.setattr(Short, "end", counted)
    return found


def both(run: Callable[[], Any]) -> tuple[Any, Any]:
    """What a run gives with steps in a row, and one by one."""
    first = run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "eager", lambda loop: None)
        return first, run()


def alike(a: Any, b: Any) -> None:
    (run, _, ends), (other, _, others) = a, b
    assert identical(ends, others)
    assert told(run) == told(other)
    assert run.notes == other.notes


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "metrics" not in case])
def test_steps_in_a_row_end_on_the_bits_of_steps_one_by_one(
    name: str, rows: list[int], monkeypatch: pytest.MonkeyPatch
):
    case = dict(CASES[name])
    if "gathered" in case:  # bytes of a batch: eight of three floats and a label
        monkeypatch.setattr("truestep.data.batches.GATHERED", 8 * 20 * case.pop("gathered"))
    alike(*both(lambda: fitted(False, **case)))
    assert sum(rows) == 5 * 7  # all but the ragged batches


def test_a_run_too_short_for_programs_takes_its_steps_in_a_row(rows: list[int]):
    fitted("auto", **DESCENT)
    assert rows == [7] * 5


@pytest.mark.parametrize("policy", ["stop", "raise", "skip"])
def test_what_is_not_finite_is_told_at_its_own_step_and_draws_once(policy: str, rows: list[int]):
    x, y = data(64)
    x[20] = float("nan")

    def run() -> Any:
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(3, 9), nn.Dropout(0.4), nn.Linear(9, 4))
        own, drawn = optim.SGD(model.parameters(), 0.1, momentum=0.9), list[Tensor]()
        model[1].register_forward_hook(lambda *given: drawn.append(given[2].detach() == 0))
        words = ""
        try:
            ts.fit(model, (x, y), nn.CrossEntropyLoss(), own, 2, 8, nonfinite=policy, progress=False, compile=False)
        except ts.NonFiniteError as failure:
            words = str(failure)
        return words, drawn, snapshot(model, own)

    (words, drawn, ends), (others, also, end) = both(run)
    assert words == others
    assert ("step " in words) == (policy == "raise")
    assert identical(ends, end)
    assert len(drawn) == len(also)
    assert all(torch.equal(a, b) for a, b in zip(drawn, also, strict=True))
    assert rows


def test_what_counts_nothing_is_left_out_at_its_own_step(rows: list[int]):
    x, y = data(64)
    y[24:32] = 3
    case = {**DESCENT, "data": (x, y), "shuffle": False, "nonfinite": "skip"}
    alike(*both(lambda: fitted(False, **case)))
    assert rows == [3, 4] * 5


def test_a_sum_is_said_to_be_one(rows: list[int]):
    case = {**DESCENT, "loss": nn.CrossEntropyLoss(reduction="sum"), "epochs": 1}
    (a, *_), (b, *_) = both(lambda: fitted(False, **case))
    assert a.notes == b.notes
    assert "is a sum over 8 samples" in a.notes[0]
    assert rows == [7]


def test_a_label_that_is_no_class_fails_in_the_words_of_the_step(rows: list[int]):
    x, y = data()
    y[50] = 7
    case = {**DESCENT, "data": (x, y), "shuffle": False, "epochs": 1}

    def run() -> str:
        with pytest.raises(ts.DataError) as failure:
            fitted(False, **case)
        return str(failure.value)

    a, b = both(run)
    assert a == b
    assert rows == [6]


def test_own_observers_see_every_step_in_its_turn(rows: list[int], monkeypatch: pytest.MonkeyPatch):
    def run() -> Any:
        seen: list[Any] = []
        monkeypatch.setattr(loop.Loop, "_own_observers", lambda *_: [seen.append])
        fitted(False, **CASES["AdamW, clipped"])
        steps = [each for each in seen if isinstance(each, ts.events.Stepped)]
        return [(each.step, each.epoch, vars(each.out)) for each in steps]

    a, b = both(run)
    assert a == b
    assert rows == [1] * 40


def test_who_watches_each_step_has_them_taken_one_by_one(rows: list[int]):
    fitted(False, observers=[lambda event: None], **DESCENT)
    assert rows == []


@pytest.mark.parametrize(
    "options",
    [{"accumulate": 2}, {"micro_batch": 4}, {"metrics": {"right": ts.metrics.accuracy}}, {"amp": "bfloat16"}],
    ids=lambda options: next(iter(options)),
)
def test_what_is_more_than_one_plain_pass_is_taken_one_by_one(options: Any, rows: list[int]):
    fitted(False, **DESCENT, **options)
    assert rows == []


def test_ctrl_c_in_the_midst_of_a_row_loses_no_step(rows: list[int], monkeypatch: pytest.MonkeyPatch):
    read, calls = short.read, [0]

    def interrupted(*given: Any) -> Any:
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        return read(*given)

    monkeypatch.setattr(short, "read", interrupted)
    seen: list[Any] = []
    watch = type("Watch", (), {"wants_steps": False, "__call__": lambda self, event: seen.append(event)})()
    with pytest.raises(KeyboardInterrupt):
        fitted(False, **DESCENT, observers=[watch])
    assert rows == [3]
    assert seen[-1].reason == "interrupted after 3 steps."


LABELLED: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "labels": (nn.CrossEntropyLoss(), (40, 5)),
    "tokens": (nn.CrossEntropyLoss(), (8, 5, 7)),
    "pixels": (nn.CrossEntropyLoss(), (3, 5, 4, 6)),
    "one sample": (nn.CrossEntropyLoss(), (5,)),
    "nobody": (nn.CrossEntropyLoss(), (0, 5)),
    "a sum": (nn.CrossEntropyLoss(reduction="sum"), (40, 5)),
    "elements": (nn.CrossEntropyLoss(reduction="none"), (40, 5)),
    "smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), (40, 5)),
    "another label is ignored": (nn.CrossEntropyLoss(ignore_index=2), (40, 5)),
    "weighted": (nn.CrossEntropyLoss(torch.tensor([0.1, 0.7, 1.3, 2.9, 0.3])), (40, 5)),
    "log-probabilities": (nn.NLLLoss(), (40, 5)),
}


@pytest.mark.parametrize("ignored", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", LABELLED)
def test_labels_are_as_many_as_torch_itself_has_counted(name: str, ignored: float):
    loss, shape = LABELLED[name]
    scores = torch.randn(shape, requires_grad=True)
    labels = torch.randint(5, shape[:1] + shape[2:] if len(shape) > 1 else ())
    labels = torch.where(torch.rand(labels.shape) < ignored, int(loss.ignore_index), labels)  # pyright: ignore[reportArgumentType]
    term = ts.Term(loss)
    (total, size), whole = term.measure(scores, labels), term(scores, labels)
    assert total.equal(whole.total)
    assert float(size) == float(whole.size if whole.size is not None else whole.count)


def test_more_labels_than_float32_counts_by_ones_are_counted_here(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kinds, "EXACT", 3)
    scores, labels = torch.randn(4, 5, requires_grad=True), torch.randint(5, (4,))
    counts = [ts.Term(nn.CrossEntropyLoss()).measure(scores[:size], labels[:size])[1] for size in (3, 4)]
    assert [type(count) for count in counts] == [float, Tensor]
