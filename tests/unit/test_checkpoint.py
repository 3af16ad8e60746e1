"""What is written comes back to the bit, and what could not is refused before anything is written."""

import json
import os

import hypothesis
import hypothesis.strategies as st
import pytest
import torch
from safetensors.torch import load_file

from truestep.core.errors import CheckpointError
from truestep.store.atomic import StoreError
from truestep.store.checkpoint import read, write
from truestep.store.layout import CODES, OTHERS

NUMBERS = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
KINDS = {str(dtype).removeprefix("torch."): dtype for dtype in [*CODES.values(), *OTHERS.values()]}
SHAPES = {
    "scalar": torch.tensor(3.5),
    "empty": torch.empty(0, 3),
    "transposed": NUMBERS.t()[::2],
    "expanded": NUMBERS[:, :1].expand(3, 5),
    "conjugate": torch.complex(NUMBERS, NUMBERS + 1).conj(),
    "negated view": torch.complex(NUMBERS, NUMBERS + 1).conj().imag,
    "odd numbers": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
    "parameter": torch.nn.Parameter(NUMBERS),
    '../../é∂"\\\n\x00': torch.tensor([True, False]),
}
PLAIN = {
    "numbers": [0, -1, 2**80, 0.1, -0.0, 1e-320, float("nan"), float("inf"), -float("inf"), True, None],
    "text": ["", 'é∂"\\\n\x00', "\ud800", {"": []}],
    "__class__": "os.system",
}


def bytes_of(tensor):
    return tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)


def same(one, other):
    return (one.dtype, one.shape) == (other.dtype, other.shape) and bytes_of(one).equal(bytes_of(other))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
def test_every_type_comes_back_to_the_bit(tmp_path, kind):
    dtype = KINDS[kind]
    raw = torch.arange(3 * dtype.itemsize, dtype=torch.uint8) % (2 if dtype is torch.bool else 251)
    tensors = {"one": raw.view(dtype), "scalar": raw.view(dtype)[1], "none": raw.view(dtype)[:0].reshape(0, 7)}
    write(tmp_path / "c", tensors, {})
    back = read(tmp_path / "c").tensors
    assert list(back) == sorted(tensors)
    assert all(same(back[name], tensors[name]) for name in tensors)


def test_every_shape_and_all_plain_data_come_back(tmp_path):
    write(tmp_path / "c", SHAPES, PLAIN)
    back = read(tmp_path / "c")
    assert back.schema == 1
    assert set(back.tensors) == set(SHAPES)
    assert all(same(back.tensors[name], SHAPES[name]) for name in SHAPES)
    assert repr(back.plain) == repr(PLAIN)  # equal to the sign of a zero, and NaN equal to itself
    back.tensors["empty"].add_(1)
    back.tensors["scalar"].add_(1)  # it can be trained on


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(width=64) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@hypothesis.given(st.dictionaries(st.text(), ANYTHING, max_size=4))
def test_any_plain_data_come_back_as_they_were(tmp_path_factory, plain):
    path = tmp_path_factory.getbasetemp() / "plain"
    write(path, {}, plain)
    assert repr(read(path).plain) == repr(plain)


@hypothesis.given(st.lists(st.text(min_size=1), max_size=5, unique=True), st.lists(st.integers(0, 3), max_size=4))
def test_any_names_and_shapes_come_back_as_they_were(tmp_path_factory, names, shape):
    tensors = {name: torch.randn(shape, dtype=torch.float64) + k for k, name in enumerate(names)}
    path = tmp_path_factory.getbasetemp() / "names"
    write(path, tensors, {})
    back = read(path).tensors
    assert back.keys() == tensors.keys()
    assert all(same(back[name], tensors[name]) for name in names)


def test_a_checkpoint_of_nothing_is_one(tmp_path):
    write(tmp_path / "c", {}, {})
    assert (read(tmp_path / "c").tensors, read(tmp_path / "c").plain) == ({}, {})


def test_equal_states_are_equal_bytes_in_whatever_order_they_come(tmp_path):
    write(tmp_path / "a", SHAPES, PLAIN)
    write(tmp_path / "b", dict(reversed(SHAPES.items())), PLAIN)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_libraries_can_read_the_file(tmp_path):
    write(tmp_path / "c", {"x": NUMBERS.t(), "y": torch.ones(3, dtype=torch.bool)}, {"epoch": 3})
    found = load_file(tmp_path / "c")
    assert found["x"].equal(NUMBERS.t())
    assert found["y"].all()
    assert json.loads(bytes(found["truestep.json"].tolist()))["plain"] == {"epoch": 3}


@pytest.mark.parametrize(
    "tensors, plain, said",
    [
        ({"x": [1.0]}, {}, "'x' is of type list, not a tensor: put it into the plain data"),
        ({"x": torch.empty(2, device="meta")}, {}, "'x' is a meta tensor, which a checkpoint cannot hold: give its"),
        ({"x": torch.eye(2).to_sparse()}, {}, "'x' is a sparse tensor, which a checkpoint cannot hold"),
        ({"x": torch.zeros(2, dtype=torch.uint8).view(torch.bits8)}, {}, "'x' is a torch.bits8 tensor"),
        ({1: torch.ones(1)}, {}, "'1' cannot name a tensor in a checkpoint: use another name"),
        ({"": torch.ones(1)}, {}, "'' cannot name a tensor"),
        ({"n" * 5000: torch.ones(1)}, {}, f"'{'n' * 60}' cannot name a tensor"),
        ({"truestep.json": torch.ones(1)}, {}, "'truestep.json' cannot name a tensor"),
        ({"x": torch.zeros([1] * 64, dtype=torch.complex128)}, {}, "PLACE is not written, since it could not be re"),
        ({"x": torch.empty(0, 2**40, 2**21)}, {}, "PLACE is not written, since it could not be read: it is damaged: "),
        ({}, [1], "the plain data of a checkpoint are a dict, not of type list"),
        ({}, {"a": [0, (1, 2)]}, "a checkpoint cannot hold plain['a'][1], which is of type tuple: only dict, list, "),
        ({}, {"a": {1: 2}}, "a checkpoint cannot hold the key 1 of plain['a']: keys are text"),
        ({}, {"a": torch.ones(())}, "a checkpoint cannot hold plain['a'], which is of type Tensor: "),
        ({}, {"a": NUMBERS.numpy()[0, 0]}, "a checkpoint cannot hold plain['a'], which is of type float64: "),
        ({}, {"a": 10**5000}, "a checkpoint cannot hold these plain data: Exceeds the limit"),
    ],
)
def test_what_would_not_come_back_is_refused_before_anything_is_written(tmp_path, tensors, plain, said):
    with pytest.raises(CheckpointError) as caught:
        write(tmp_path / "c", tensors, plain)
    assert str(caught.value).replace(str(tmp_path / "c"), "PLACE").startswith(said)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_what_is_too_deep_or_too_much_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    deep: list = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(CheckpointError, match=r"it lies deeper than 100 lists and dicts$"):
        write(tmp_path / "c", {}, {"deep": deep})
    loop: dict = {}
    loop["again"] = loop
    with pytest.raises(CheckpointError, match=r"it lies deeper than 100 lists and dicts$"):
        write(tmp_path / "c", {}, loop)
    with pytest.raises(
        CheckpointError, match=r"with 1,100,0\d\d items of plain data, only .*: make tensors of long lists$"
    ):
        write(tmp_path / "c", {}, {"losses": [0] * 1_100_000})
    monkeypatch.setattr("truestep.store.plain.MOST_PLAIN", 100)
    with pytest.raises(
        CheckpointError, match=r"cannot hold 2,0\d\d bytes with 4 items of plain data, only 100 with 1,0"
    ):
        write(tmp_path / "c", {}, {"text": "x" * 2000})
    monkeypatch.setattr("truestep.store.layout.MOST_HEADER", 10_000)
    with pytest.raises(CheckpointError, match=r"cannot hold 201 tensors: their names fill more than its header$"):
        write(tmp_path / "c", {f"{k:050d}": torch.ones(1) for k in range(200)}, {})
    assert os.listdir(tmp_path) == []


def test_a_link_is_followed_unless_it_is_not_to_be(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    write(tmp_path / "link", {}, {"k": 1})
    assert read(tmp_path / "mine").plain == read(tmp_path / "link").plain == {"k": 1}
    write(tmp_path / "link", {}, {"k": 2}, follow=False)
    assert not (tmp_path / "link").is_symlink()
    assert [read(tmp_path / name).plain["k"] for name in ("mine", "link")] == [1, 2]


def test_a_place_that_cannot_be_written_or_read_is_one_sentence(tmp_path):
    with pytest.raises(StoreError, match="cannot be written: no such file or directory; make its folder first"):
        write(tmp_path / "missing" / "c", {}, {})
    with pytest.raises(CheckpointError, match=r"^there is no checkpoint at .*/c: give the path of one$"):
        read(tmp_path / "c")
