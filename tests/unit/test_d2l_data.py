"""The book's data: every sample once, clothes from a folder or on request, digits in their place, nothing unasked."""

import pytest
import torch

import truestep as ts
from truestep import d2l


def test_load_array_gives_every_sample_once_shuffled_only_to_train():
    data = torch.arange(7.0), torch.arange(7)
    test = list(d2l.load_array(data, 3, is_train=False))
    assert [len(y) for _, y in test] == [3, 3, 1]
    assert torch.cat([y for _, y in test]).tolist() == list(range(7))
    train = torch.cat([y for _, y in d2l.load_array(data, 3)]).tolist()
    assert sorted(train) == list(range(7)) != train


def put_clothes(folder):
    """Ten tiny pictures to train and to test, in the format of the published files."""
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (10, 28, 28))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + bytes(i % 256 for i in range(10 * 28 * 28)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x0a" + bytes(range(10)))


def test_fashion_mnist_comes_from_a_folder_in_whole_batches(elsewhere, tmp_path, monkeypatch, capsys):
    put_clothes(tmp_path / "there" / "FashionMNIST" / "raw")
    monkeypatch.setenv("TRUESTEP_DATA", str(tmp_path / "there"))
    train, test = d2l.load_data_fashion_mnist(4, resize=16)
    assert [X.shape for X, _ in train] == [(4, 1, 16, 16), (4, 1, 16, 16), (2, 1, 16, 16)]
    assert sorted(torch.cat([y for _, y in train]).tolist()) == list(range(10))
    assert torch.cat([y for _, y in test]).tolist() == list(range(10))
    image, label = test.dataset[3]
    assert (image.shape, label, len(test), len(test.dataset)) == ((1, 16, 16), 3, 3, 10)
    torch.testing.assert_close(image, ts.data.load("fashion-mnist", 16).test[0][3])
    assert test.dataset.classes[9] == d2l.get_fashion_mnist_labels([9])[0] == "ankle boot"
    assert capsys.readouterr().err == ""
    (plain, _), _ = (next(iter(each)) for each in d2l.load_data_fashion_mnist(10, root=tmp_path / "there"))
    assert plain.shape == (10, 1, 28, 28)


def test_fashion_mnist_is_fetched_only_on_request(elsewhere, monkeypatch):
    asked = []

    def fetch(name, folder):
        asked.append(name)
        put_clothes(folder)
        return folder

    monkeypatch.setattr("truestep.data.sources.fetch_files", fetch)
    with pytest.raises(ts.DataError, match=r"^fashion-mnist is not in .*set TRUESTEP_DATA to the folder of its"):
        d2l.load_data_fashion_mnist(4)
    assert asked == []
    d2l.load_data_fashion_mnist(4, fetch=True)
    assert asked == ["fashion-mnist"]


def test_a_wrong_size_is_told_before_the_first_batch(elsewhere, monkeypatch):
    monkeypatch.setenv("TRUESTEP_DATA", "digits")
    with pytest.raises(ts.ConfigError, match=r"^size is \(32, 64\), and an image's side is a whole number of pixels"):
        d2l.load_data_fashion_mnist(4, resize=(32, 64))
