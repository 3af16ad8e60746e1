"""Weights come back to the bit, and no damaged file is ever taken for weights."""

import random

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from truestep.core.errors import DataError
from truestep.store.atomic import StoreError
from truestep.store.weights import load_weights, save_weights

SHARED = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
KINDS = {
    "plain": SHARED,
    "tied": SHARED,
    "transposed": SHARED.t(),
    "slice": SHARED[1:3, ::2],
    "expanded": SHARED[:, :1].expand(4, 5),
    "channels_last": torch.arange(48.0).view(1, 3, 4, 4).to(memory_format=torch.channels_last),
    "scalar": torch.tensor(3),
    "empty": torch.empty(0, 3),
    "bool": torch.tensor([True, False]),
    "bfloat16": SHARED[0].bfloat16(),
    "float8": SHARED[0].to(torch.float8_e4m3fn),
    "float64": SHARED.double(),
    "conjugate": torch.randn(3, dtype=torch.complex64, generator=torch.Generator().manual_seed(1)).conj(),
    "negated view": torch.randn(3, dtype=torch.complex64, generator=torch.Generator().manual_seed(1)).conj().imag,
    "odd numbers": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
    "parameter": nn.Parameter(SHARED),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tensor_comes_back_to_the_bit(tmp_path, kind):
    save_weights(tmp_path / "w", {"x": KINDS[kind]})
    back = load_weights(tmp_path / "w")["x"]
    wanted = KINDS[kind].detach().resolve_conj().resolve_neg().contiguous()
    assert (back.dtype, back.shape, back.requires_grad) == (wanted.dtype, wanted.shape, False)
    assert back.contiguous().flatten().view(torch.uint8).equal(wanted.flatten().view(torch.uint8))


def test_all_of_them_together_and_none_of_them(tmp_path):
    save_weights(tmp_path / "w", KINDS)
    assert set(load_weights(tmp_path / "w")) == set(KINDS)
    save_weights(tmp_path / "w", {})
    assert load_weights(tmp_path / "w") == {}


def test_a_model_with_tied_weights_is_itself_again(tmp_path):
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False))
    model[1].weight = model[0].weight
    save_weights(tmp_path / "w", model.state_dict())
    wanted = model[0].weight.detach().clone()
    with torch.no_grad():
        model[0].weight.zero_()
    model.load_state_dict(load_weights(tmp_path / "w"))
    assert model[0].weight is model[1].weight
    assert model[0].weight.equal(wanted)


def test_what_is_loaded_can_be_trained_on(tmp_path):
    save_weights(tmp_path / "w", {"x": torch.zeros(2)})
    load_weights(tmp_path / "w")["x"].add_(1)


def test_other_libraries_can_read_the_file(tmp_path):
    save_weights(tmp_path / "w.safetensors", {"x": SHARED.t()})
    assert load_file(tmp_path / "w.safetensors")["x"].equal(SHARED.t())


def test_equal_weights_are_equal_bytes(tmp_path):
    save_weights(tmp_path / "a", KINDS)
    save_weights(tmp_path / "b", KINDS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_flipped_bit_in_any_byte_is_found(tmp_path):
    path = tmp_path / "w"
    save_weights(path, {"a": torch.arange(5.0), "b": torch.tensor([[1, 2]])})
    sound = path.read_bytes()
    for place in range(len(sound)):
        broken = bytearray(sound)
        broken[place] ^= 1 << place * 5 % 8
        path.write_bytes(broken)
        with pytest.raises(DataError) as caught:
            load_weights(path)
        assert "\n" not in str(caught.value)


def test_no_cut_and_no_added_byte_passes(tmp_path):
    path = tmp_path / "w"
    save_weights(path, {"a": torch.arange(50.0)})
    sound = path.read_bytes()
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        with pytest.raises(DataError, match=rf"w is cut short: it has {length} bytes of \d+; take a sound copy"):
            load_weights(path)
    path.write_bytes(sound + b"\0")
    with pytest.raises(DataError, match="is damaged: its bytes do not match their checksum"):
        load_weights(path)


def test_bytes_of_anything_else_are_one_sentence(tmp_path):
    path, draw = tmp_path / "w", random.Random(1)
    for length in [*range(40), 1000, 5000]:
        path.write_bytes(draw.randbytes(length))
        with pytest.raises(DataError):
            load_weights(path)
    header = b'["not", "an", "object"]'
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(DataError, match="has no checksum of truestep"):
        load_weights(path)


def test_a_flipped_bit_in_a_tensor_is_called_damage(tmp_path):
    path = tmp_path / "w"
    save_weights(path, {"a": torch.arange(5.0)})
    broken = bytearray(path.read_bytes())
    broken[-1] ^= 1
    path.write_bytes(broken)
    with pytest.raises(
        DataError, match=r"w is damaged: its bytes do not match their checksum; take a sound copy, or train"
    ):
        load_weights(path)


def test_a_missing_file_a_folder_and_a_foreign_file_are_one_sentence_each(tmp_path):
    with pytest.raises(DataError, match=r"there are no weights at .*absent: give the path of a \.safetensors file"):
        load_weights(tmp_path / "absent")
    with pytest.raises(DataError, match=r"the weights at .* cannot be read: Is a directory"):
        load_weights(tmp_path)
    save_file({"x": SHARED}, tmp_path / "foreign")
    with pytest.raises(DataError, match=r"foreign has no checksum of truestep: read it with safetensors"):
        load_weights(tmp_path / "foreign")


@pytest.mark.parametrize(
    "tensors, sentence",
    [
        ({"x": torch.empty(2, device="meta")}, "'x' is a meta tensor, which has no plain values"),
        ({"x": torch.eye(2).to_sparse()}, "'x' is a sparse tensor"),
        ({"x": {"step": 1}}, "'x' is of type dict, not a tensor: leave it out of the weights"),
        ({"x": torch.zeros(2, dtype=torch.complex128)}, r"safetensors cannot hold tensors of type torch\.complex128"),
        ({1: torch.zeros(2)}, "1 cannot name a tensor in a file"),
        ({"__metadata__": torch.zeros(2)}, "'__metadata__' cannot name a tensor in a file"),
        ({"\ud800": torch.zeros(2)}, "cannot name a tensor in a file"),
    ],
)
def test_what_has_no_plain_values_is_refused_before_anything_is_written(tmp_path, tensors, sentence):
    with pytest.raises(DataError, match=sentence):
        save_weights(tmp_path / "w", tensors)
    assert not (tmp_path / "w").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(StoreError, match="make its folder first"):
        save_weights(tmp_path / "missing" / "w", {"x": SHARED})
