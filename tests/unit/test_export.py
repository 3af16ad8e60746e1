"""A run as CSV, JSON and TensorBoard files: every figure comes back, and what is missing is missing there too."""

import csv
import json
import math
import struct

import numpy as np
import pytest

from truestep.cli.main import main
from truestep.store.export import export_run
from truestep.store.rundb import RunDB
from truestep.store.tfevents import crc32c, event_file

LOSSES = {1: 0.1 + 0.2, 2: 1e-300, 5: math.inf, 6: math.nan}
EPOCHS = [
    {"epoch": 1, "train_loss": 1 / 3, "seconds": 2.5, "lr": None},
    {"epoch": 2, "train_loss": math.nan, "seconds": 1.5, "valid_loss": 7.0},
]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "runs" / "lenet5-1"
    made.mkdir(parents=True)
    with RunDB(made / "run.sqlite") as database:
        database.config({"batch_size": 5, "recipe": "lenet5"})
        database.scalars([(1, "loss", 9.0)])  # recorded again below, as after a resume
        database.scalars((step, "loss", loss) for step, loss in LOSSES.items())
        database.scalars([(2, "lr", 0.5)])
        for record in EPOCHS:
            database.epoch(record["epoch"], record)
        database.event("note", "a comma, and\na line")
    return made


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_tables_hold_every_digit_and_nothing_where_nothing_was_recorded(folder, tmp_path):
    epochs, steps = export_run(folder, tmp_path / "out", ["csv"])
    assert (epochs.name, steps.name) == ("epochs.csv", "steps.csv")
    found = rows(steps)
    assert [int(row["step"]) for row in found] == list(LOSSES)
    np.testing.assert_array_equal([float(row["loss"]) for row in found], list(LOSSES.values()))
    assert [row["lr"] for row in found] == ["", "0.5", "", ""]
    first, second = rows(epochs)
    assert float(first["train_loss"]) == 1 / 3
    assert (first["lr"], first["valid_loss"], second["train_loss"], second["valid_loss"]) == ("", "", "nan", "7.0")


def test_the_object_is_strict_json_and_holds_all_of_the_run(folder, tmp_path):
    (file,) = export_run(folder, tmp_path / "out", ["json"])
    found = json.loads(file.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert (found["name"], found["status"]) == ("lenet5-1", "finished")
    assert found["config"] == {"batch_size": 5, "recipe": "lenet5"}
    assert found["epochs"][0] == EPOCHS[0]
    assert found["epochs"][1]["train_loss"] is None
    assert [event["text"] for event in found["events"]] == ["a comma, and\na line"]
    assert found["scalars"]["loss"] == {"steps": [1, 2, 5, 6], "values": [0.1 + 0.2, 1e-300, None, None]}


def test_the_checksum_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


def unmasked(word):
    found = (struct.unpack("<I", word)[0] - 0xA282EAD8) & 0xFFFFFFFF
    return (found >> 17 | found << 15) & 0xFFFFFFFF


def records(data):
    """The records of an event file, read by the book; their checksums must hold."""
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        body = data[12 : 12 + length]
        assert unmasked(data[8:12]) == crc32c(data[:8])
        assert unmasked(data[12 + length : 16 + length]) == crc32c(body)
        data = data[16 + length :]
        yield body


def fields(data):
    """The fields of a protocol-buffer message, as (number, value)."""
    while data:
        key, data = varint(data)
        if key & 7 == 0:
            value, data = varint(data)
        else:
            length, data = varint(data) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], data)
            value, data = data[:length], data[length:]
            value = struct.unpack("<d" if length == 8 else "<f", value)[0] if key & 7 != 2 else value
        yield key >> 3, value


def varint(data):
    found = shift = 0
    for place, byte in enumerate(data, 1):
        found |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return found, data[place:]
    raise AssertionError("a number without an end")


def scalars(data):
    """What a reader of TensorBoard gets: (time, step, tag, value)."""
    first, *rest = (dict(fields(record)) for record in records(data))
    assert first[3] == b"brain.Event:2"
    for event in rest:
        for _, value in fields(event[5]):
            held = dict(fields(value))
            yield event[1], event[2], held[1].decode(), held[2]


def test_tensorboard_gets_steps_and_epochs(folder, tmp_path):
    (file,) = export_run(folder, tmp_path / "out", ["tensorboard"])
    assert file.name.startswith("events.out.tfevents.")
    found = list(scalars(file.read_bytes()))
    losses = {step: value for _, step, tag, value in found if tag == "steps/loss"}
    np.testing.assert_array_equal(list(losses.values()), np.float32(list(LOSSES.values())))
    assert list(losses) == list(LOSSES)
    start = found[0][0]
    ends = {step: time - start for time, step, tag, _ in found if tag == "epochs/train_loss"}
    assert ends == pytest.approx({1: 2.5, 2: 4.0}, abs=1e-5)
    assert not any(tag == "epochs/lr" for _, _, tag, _ in found)  # None is no number


def test_long_steps_and_great_numbers_stay_in_their_fields():
    moments = [(1.5, 2**40, {"a" * 300: 1e300}), (2.5, 0, {"b": -2.0})]
    found = list(scalars(b"".join(event_file(1.0, moments))))
    assert found == [(1.5, 2**40, "a" * 300, math.inf), (2.5, 0, "b", -2.0)]


def test_the_command_writes_the_newest_run_or_the_one_that_is_named(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder.parent.parent)
    assert main(["export"]) == 0
    names = [line.rpartition("/")[2] for line in capsys.readouterr().out.splitlines()]
    assert names[:3] == ["epochs.csv", "steps.csv", "run.json"]
    assert len(names) == 4
    assert main(["export", str(folder), "--format", "csv", "--to", "out", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"run": "lenet5-1", "files": ["out/epochs.csv", "out/steps.csv"]}


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["lenet5-2"], "there is no run lenet5-2 in runs, nor a folder of that name that holds one; did you mean"),
        (["--root", "none"], "there are no runs in none yet: truestep train lenet5 makes one."),
        (["--format", "cvs"], "--format: 'cvs' is not one of csv, json, tensorboard (did you mean csv?)"),
        (
            ["lenet5-1", "--to", "taken/out"],
            "taken cannot be made: file exists; a file stands where the folder should go",
        ),
    ],
)
def test_a_mistake_is_one_sentence(folder, capsys, monkeypatch, words, sentence):
    monkeypatch.chdir(folder.parent.parent)
    (folder.parent.parent / "taken").write_text("a file")
    assert main(["export", *words]) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
