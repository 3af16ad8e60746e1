"""Made-up problems have the answers that they promise, and leave the caller's random state alone."""

import pytest
import torch

from truestep.core.errors import ConfigError
from truestep.data import blobs, curve, linear, sequences, two_moons, weight_decay

MAKERS = {
    "linear": lambda seed: linear(50, [2, -3.4], 4.2, seed=seed),
    "weight_decay": lambda seed: weight_decay(seed=seed).train,
    "curve": lambda seed: curve("sine", 50, seed=seed),
    "blobs": lambda seed: blobs(50, seed=seed),
    "two_moons": lambda seed: two_moons(50, seed=seed),
    "sequences": lambda seed: sequences(50, seed=seed),
}
every_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@every_maker
def test_the_global_random_state_is_neither_moved_nor_read(make):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = make(0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(first, make(0), strict=True))


@every_maker
def test_another_seed_is_another_problem(make):
    assert not torch.equal(make(0)[1], make(1)[1])


def test_without_noise_a_line_is_exactly_its_formula():
    x, y = linear(1000, [2, -3.4], 4.2, noise=0, dtype=torch.float64)
    assert y.shape == (1000, 1)
    torch.testing.assert_close(y, x @ torch.tensor([[2.0], [-3.4]], dtype=torch.float64) + 4.2, atol=1e-14, rtol=0)


def test_inputs_and_noise_have_the_promised_spread():
    x, y = linear(20_000, torch.tensor([1.0, 2.0, 3.0]), 5, noise=0.5, dtype=torch.float64)
    error = y[:, 0] - x @ torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64) - 5
    assert abs(error.std() - 0.5) < 0.01
    assert abs(error.mean()) < 0.015
    torch.testing.assert_close(torch.cov(x.T), torch.eye(3, dtype=torch.float64), atol=0.04, rtol=0)


def test_a_seed_means_the_same_numbers_in_every_type():
    exact = linear(30, [1.0, -1.0], 0.5, seed=3, dtype=torch.float64)
    for dtype in (torch.float32, torch.bfloat16):
        rounded = linear(30, [1.0, -1.0], 0.5, seed=3, dtype=dtype)
        assert all(torch.equal(a.to(dtype), b) for a, b in zip(exact, rounded, strict=True))


def test_the_weight_decay_problem_is_the_books():
    split = weight_decay()
    assert [tuple(part.shape) for pair in split for part in pair] == [(20, 200), (20, 1), (100, 200), (100, 1)]
    for x, y in weight_decay(train=2000, test=2000):
        error = y - x.sum(1, keepdim=True) * 0.01 - 0.05
        assert abs(error.std() - 0.01) < 0.001
        assert abs(error.mean()) < 0.001


@pytest.mark.parametrize(
    "kind,at",
    [("line", (-1, 1, 3)), ("parabola", (1, 0, 1)), ("sine", (0, 0, 0)), ("step", (0, 0, 1))],
)
def test_a_curve_goes_through_its_formula(kind, at):
    x, y = curve(kind, 3, noise=0)
    assert x.tolist() == [[-1.0], [0.0], [1.0]]
    torch.testing.assert_close(y, torch.tensor(at, dtype=torch.float32).unsqueeze(1), atol=1e-6, rtol=0)
    assert curve("sine", 5, noise=0)[1][3].item() == pytest.approx(1)


@pytest.mark.parametrize("classes", [1, 2, 3, 7])
def test_blobs_are_even_and_stand_two_units_apart(classes):
    x, labels = blobs(1000, classes, inputs=4, spread=0.01)
    counts = torch.bincount(labels, minlength=classes)
    assert len(counts) == classes
    assert counts.max() - counts.min() <= 1
    centres = torch.stack([x[labels == k].mean(0) for k in range(classes)])
    if classes > 1:
        apart = (centres - centres.roll(1, 0)).norm(dim=1)
        torch.testing.assert_close(apart, torch.full((classes,), 2.0), atol=0.01, rtol=0)
    assert centres[:, 2:].abs().max() < 0.01


def test_two_moons_without_noise_are_two_half_circles():
    x, labels = two_moons(101, noise=0)
    upper, lower = x[labels == 0], x[labels == 1]
    assert abs(len(upper) - len(lower)) == 1
    torch.testing.assert_close(upper.norm(dim=1), torch.ones(len(upper)))
    torch.testing.assert_close((lower - torch.tensor([1.0, 0.5])).norm(dim=1), torch.ones(len(lower)))
    assert upper[:, 1].min() >= 0
    assert lower[:, 1].max() <= 0.5


@pytest.mark.parametrize("pad", [0, 3, 11])
def test_padding_is_a_tail_that_is_ignored_and_never_a_token(pad):
    inputs, targets = sequences(500, length=9, vocabulary=12, pad=pad)
    ignored = targets == -100
    assert torch.equal(inputs == pad, ignored)
    assert torch.equal(ignored, ignored.cummax(1).values)  # once ignored, ignored to the end
    tokens = targets[~ignored]
    assert tokens.unique().tolist() == [token for token in range(12) if token != pad]
    assert (~ignored).sum(1).unique().tolist() == list(range(1, 10))


def test_targets_are_the_inputs_one_token_later():
    inputs, targets = sequences(200, length=9)
    inner = targets[:, 1:] != -100
    assert torch.equal(inputs[:, 1:][inner], targets[:, :-1][inner])


def test_nine_tokens_in_ten_follow_the_vocabulary():
    inputs, targets = sequences(2000, length=20, vocabulary=30)
    valid = targets != -100
    follows = (inputs[valid] % 29 + 1 == targets[valid]).float().mean()
    assert abs(follows - (0.9 + 0.1 / 29)) < 0.01


def test_rows_that_are_ignored_altogether_come_on_request():
    _, targets = sequences(200, length=4, shortest=0)
    assert (targets == -100).all(1).any()
    _, targets = sequences(200, length=4, shortest=4)
    assert (targets != -100).all()


@pytest.mark.parametrize(
    "call,sentence",
    [
        (lambda: linear(0, [1.0], 0), r"^n is 0, and must be a whole number of 1 or more"),
        (lambda: linear(2.5, [1.0], 0), r"^n is 2\.5, and must be a whole number"),
        (lambda: linear(5, [], 0), r"^w is of shape \(0,\), and must be a vector of finite numbers"),
        (lambda: linear(5, [[1.0]], 0), r"^w is of shape \(1, 1\), and must be a vector"),
        (lambda: linear(5, [float("nan")], 0), r"must be a vector of finite numbers"),
        (
            lambda: linear(5, [1.0], 0, noise=-1),
            r"^noise is -1, and a standard deviation is a finite number, 0 or more",
        ),
        (
            lambda: linear(5, [1.0], 0, dtype=torch.int64),
            r"^dtype is torch\.int64, and noisy numbers need a floating type",
        ),
        (lambda: weight_decay(train=0), r"^train is 0, and must be"),
        (lambda: curve("circle"), r"^there is no curve 'circle'; the kinds are line, parabola, sine, step"),
        (lambda: blobs(inputs=1), r"^inputs is 1, and a circle of centres needs 2 or more"),
        (lambda: blobs(spread=float("inf")), r"^spread is inf, and a standard deviation"),
        (lambda: two_moons(-1), r"^n is -1, and must be"),
        (lambda: sequences(vocabulary=4, pad=4), r"^pad is 4 and vocabulary 4: give a vocabulary of 2 or more"),
        (lambda: sequences(length=4, shortest=5), r"^shortest is 5, and sequences are between 0 and length = 4"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(ConfigError, match=sentence):
        call()
