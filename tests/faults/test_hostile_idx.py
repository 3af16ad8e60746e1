"""Whatever a file or a mirror holds, it is read right or refused in a sentence, in memory that it has earned."""

import gzip
import hashlib
import http.server
import importlib
import socket
import struct
import threading
import time
import tracemalloc

import hypothesis
import hypothesis.strategies as st
import pytest

from truestep.core.errors import ConfigError, DataError
from truestep.data import fetch, load, load_idx, read_idx

FETCH = importlib.import_module("truestep.data.fetch")  # its name in the package is the function's
MOST = 2**32 - 1


def header(*extents, code=0x08):
    return struct.pack(f">BBBB{len(extents)}I", 0, 0, code, len(extents), *extents)


def packed(content):
    return gzip.compress(content, mtime=0)


GOOD = header(2, 3) + bytes(range(6))
PROMISE = "its header promises 6 bytes of payload (2 x 3 of uint8)"


def read_or_refused(path, content):
    """The numbers as a list, or the sentence after the file's name: nothing else may come out."""
    path.write_bytes(content)
    try:
        return read_idx(path).tolist()
    except DataError as error:
        said = str(error)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    "content,said",
    [
        (b"", "it ends at byte 0 of the file, inside the 4 bytes that start an IDX file; give the path of an IDX file"),
        (b"\0\0\x08", "it ends at byte 3 of the file, inside the 4 bytes"),
        (b"PK\3\4" + GOOD, "bytes 0 to 1 are 50 4b, and an IDX file starts with 00 00; give the path of an IDX file"),
        (b"\x01" + GOOD, "bytes 0 to 1 are 01 00, and an IDX"),
        (b"<!DOCTYPE html>", "byte 0 is '<', which starts a web page and not an IDX file; give the path of an IDX"),
        (b"\0\0\x0a\1" + bytes(9), "byte 2 is the type code 0a, and IDX knows 08, 09, 0b, 0c, 0d, 0e; give the path"),
        (b"\0\0\x08\0" + bytes(9), "byte 3 claims 0 dimensions, and 1 to 64 can be read; give"),
        (b"\0\0\x08\xff" + bytes(2000), "byte 3 claims 255 dimensions, and 1 to 64"),
        (header(2, 3, 4)[:-1], "it ends at byte 15 of the file, inside a header of 16 bytes; fetch or copy it again"),
        (GOOD[:-1], f"{PROMISE} up to byte 18, and the file ends at byte 17: it is too short; fetch or copy it again"),
        (GOOD + b"!", f"{PROMISE} up to byte 18, and the file ends at byte 19: it is too long; fetch or copy it again"),
        (header(2, code=0x0E) + bytes(15), "its header promises 16 bytes of payload (2 of float64) up to byte 24"),
        (packed(b""), "it ends at byte 0 of the unpacked data, inside the 4 bytes"),
        (packed(b"<html>"), "byte 0 is '<', which starts a web page"),
        (packed(GOOD[:10]), "it ends at byte 10 of the unpacked data, inside a header of 12 bytes"),
        (packed(GOOD[:-1]), f"{PROMISE}, and the payload ends at byte 17 of the unpacked data: it is too short; fetch"),
        (packed(GOOD + b"!!"), f"{PROMISE}, and more follows at byte 18 of the unpacked data: it is too long; fetch"),
        (packed(GOOD)[:-9], "the gzip stream is cut off at byte 26 of the file (18 bytes unpacked); fetch or copy it"),
        (packed(GOOD)[:-8] + bytes(8), "the gzip stream is broken at or after byte 18 of the unpacked data (CRC "),
        (packed(GOOD)[:10] + b"\xff" * 30, "the gzip stream is broken at or after byte 0 of the unpacked data ("),
        (b"\x1f\x8b\x07" + bytes(20), "the gzip stream is broken at or after byte 0 of the unpacked data (Unknown "),
        (b"\x1f\x8b", "the gzip stream is cut off at byte 2 of the file (0 bytes unpacked)"),
    ],
)
def test_a_broken_file_is_refused_with_the_byte_and_the_mend(tmp_path, content, said):
    assert str(read_or_refused(tmp_path / "t10k-images", content)).startswith(said)


@pytest.mark.parametrize(
    "content",
    [
        header(MOST, MOST, MOST),  # overflows 64 bits
        header(2**31, 2**31, 4),  # is 0 in 64 bits
        header(0, MOST, MOST),  # is nothing, in a shape that overflows
        header(*[MOST] * 64, code=0x0E),
        header(4_000_000_000) + b"short",
        packed(header(4_000_000_000) + b"short"),
        packed(header(100) + bytes(50_000_000)),  # a bomb: 50 MB out of 50 kB
    ],
)
def test_memory_is_earned_by_bytes_and_not_by_promises(tmp_path, content):
    tracemalloc.start()
    try:
        assert "header promises" in read_or_refused(tmp_path / "idx", content)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_payload_above_the_limit_is_refused_however_honest(tmp_path):
    path = tmp_path / "idx"
    path.write_bytes(packed(header(1000, 1000) + bytes(1_000_000)))
    assert read_idx(path, limit=1_000_000).shape == (1000, 1000)
    with pytest.raises(DataError, match=r"1,000,000 bytes of payload .*, above the limit of 999,999; raise `limit` if"):
        read_idx(path, limit=999_999)


@pytest.mark.parametrize("whole", [GOOD, packed(GOOD)], ids=["plain", "packed"])
def test_every_cut_is_refused(tmp_path, whole):
    for end in range(len(whole)):
        assert isinstance(read_or_refused(tmp_path / "idx", whole[:end]), str)


def test_every_flipped_bit_of_a_packed_file_is_refused_or_says_nothing_of_the_data(tmp_path):
    whole = packed(GOOD)
    harmless = {*range(3, 10), len(whole) - 9}  # gzip's flags, time and system; deflate's last byte has bits to spare
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        found = read_or_refused(tmp_path / "idx", content)
        assert isinstance(found, str) or (found == [[0, 1, 2], [3, 4, 5]] and bit // 8 in harmless)


@hypothesis.given(st.binary(max_size=60), st.sampled_from([b"", b"\0\0\x08", b"\0\0\x08\1\0\0\0", b"\x1f\x8b\x08\0"]))
def test_arbitrary_bytes_are_numbers_or_a_sentence(tmp_path_factory, content, start):
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    for whole in (start + content, packed(start + content)):
        assert isinstance(read_or_refused(path, whole), list | str)


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(
            DataError, match=r": there is no such file; give the path of an IDX file, plain or gzipped$"
        ):
            read_idx(path)


IMAGES, LABELS = header(5, 2, 2) + bytes(20), header(5) + bytes(5)
SMALL, MISSING = header(1, 2, 2) + bytes(4), "-ubyte[.gz] is missing beside its twin; put it there"


@pytest.mark.parametrize(
    "images,labels,said",
    [
        (None, LABELS, f"/set: t10k-images-idx3{MISSING}"),
        (IMAGES, None, f"/set: t10k-labels-idx1{MISSING}"),
        (None, None, "/set: there are no IDX files such as t10k-images-idx3-ubyte.gz here or in MNIST/raw; give the "),
        (IMAGES, header(4) + bytes(4), "/set: t10k holds 5 images and 4 labels; fetch or copy both again"),
        (header(0, 28, 28), header(0), "/set: t10k holds no pixels (shape (0, 28, 28)); fetch or copy it again"),
        (header(5, 0, 2), LABELS, "/set: t10k holds no pixels (shape (5, 0, 2)); "),
        (SMALL, header(1) + bytes(1), "/set: t10k holds one sample, which cannot be split in two; "),
        (
            IMAGES,
            header(5) + bytes([0, 9, 3, 10, 200]),
            "/set/t10k-labels-idx1-ubyte: byte 11 is the label 10 of sample 3, and there are 10 classes, 0 to 9; ",
        ),
        (
            LABELS,
            LABELS,
            "/set/t10k-images-idx3-ubyte: its header (bytes 2 to 3) says 1 dimensions of torch.uint8, and images are 3 "
            "of torch.uint8; put the right file there",
        ),
        (IMAGES, header(5, code=0x09) + bytes(5), "/set/t10k-labels-idx1-ubyte: its header (bytes 2 to 3) says 1 dim"),
        (IMAGES[:-1], LABELS, "/set/t10k-images-idx3-ubyte: its header promises 20 bytes"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path, images, labels, said):
    folder = tmp_path / "set"
    folder.mkdir()
    for name, content in (("images-idx3", images), ("labels-idx1", labels)):
        if content is not None:
            (folder / f"t10k-{name}-ubyte").write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_idx(folder)
    assert str(caught.value).removeprefix(str(tmp_path)).startswith(said)
    assert "\n" not in str(caught.value)


FILES = {
    f"{part}-{what}-ubyte.gz": packed(content)
    for part in ("train", "t10k")
    for what, content in (("images-idx3", IMAGES), ("labels-idx1", LABELS))
}


class _Mirrors(http.server.BaseHTTPRequestHandler):
    """One folder a habit: /good/, /gone/, /other/, /long/, /short/, /drip/, /rude/."""

    def do_GET(self):
        _, habit, name = self.path.split("/")
        whole = FILES[name]
        if habit == "gone":
            return self.send_error(404)
        if habit == "rude":
            return self.wfile.write(b"no such protocol\r\n\r\n")
        self.send_response(200)
        self.end_headers()
        if habit == "drip":
            for byte in whole:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
        else:
            others = {"other": whole[:-1] + b"?", "long": whole + bytes(10**6), "short": whole[:-1]}
            self.wfile.write(others.get(habit, whole))
        return None

    def log_message(self, *words):
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that hangs up on a hostile mirror is what is wanted."""


@pytest.fixture
def web(monkeypatch, tmp_path):
    """The address of a server on this machine; its /gone/ and then its /good/ stand in for the public mirrors."""
    files = tuple(FETCH.Remote(name, len(body), hashlib.sha256(body).hexdigest()) for name, body in FILES.items())
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("TRUESTEP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with _Server(("127.0.0.1", 0), _Mirrors) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setitem(FETCH.PUBLISHED, "mnist", FETCH.Published(files, (f"{address}/gone/", f"{address}/good/")))
        yield address
        server.shutdown()


def test_where_one_mirror_fails_the_next_is_asked(web, tmp_path):
    bad = [f"{web}/{habit}" for habit in ("gone", "rude", "other", "short", "long")]
    assert fetch("mnist", tmp_path / "a" / "b", [*bad, f"{web}/good"]) == tmp_path / "a" / "b"
    assert {path.name: path.read_bytes() for path in (tmp_path / "a" / "b").iterdir()} == FILES


@pytest.mark.parametrize(
    "habit,said",
    [
        ("gone", r"HTTP Error 404: Not Found"),
        ("rude", r"breaks off \(BadStatusLine"),
        ("other", r"sends other bytes \(sha256 \w{12}\.\.\., and \w{12}\.\.\. was published\)"),
        ("short", r"sends \d\d of the \d\d bytes that were published"),
        ("long", r"sends more than the \d\d bytes that were published"),
        ("drip", r"(is too slow \(|timed out)"),
    ],
)
def test_a_bad_mirror_is_told_and_leaves_no_file(web, tmp_path, habit, said):
    with pytest.raises(
        DataError, match=rf"^train-images-idx3-ubyte\.gz could not be fetched \({web}/{habit}/"
    ) as caught:
        fetch("mnist", tmp_path / "new", [f"{web}/{habit}"], timeout=0.3 if habit == "drip" else 30)
    caught.match(rf"ubyte\.gz: .*{said}.*; get it by hand, and set TRUESTEP_DATA to the folder that holds it$")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_mirror_that_never_answers_is_given_up(web, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(DataError, match=r"could not be .*timed out"):
        fetch("mnist", tmp_path, [f"http://127.0.0.1:{mute.getsockname()[1]}"], timeout=0.2)


def test_a_whole_file_is_kept_and_a_damaged_one_replaced(web, tmp_path):
    fetch("mnist", tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(b"x" * len(FILES["t10k-labels-idx1-ubyte.gz"]))
    with pytest.raises(DataError, match=r"^t10k-labels-idx1-ubyte\.gz could not be fetched \(no mirrors given\)"):
        fetch("mnist", tmp_path, mirrors=[])  # the other three are not asked for
    fetch("mnist", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == FILES


def test_load_fetches_only_when_asked_and_finds_it_ever_after(web, tmp_path):
    with pytest.raises(DataError, match=r"fetch it with truestep\.data\.load\('mnist', fetch=True\)"):
        load("mnist")
    assert not (tmp_path / "cache").exists()
    assert load("mnist", size=2, fetch=True).train[0].shape == (5, 1, 2, 2)
    assert load("mnist", size=2).test[0].shape == (5, 1, 2, 2)


def test_only_published_sets_can_be_fetched(tmp_path):
    with pytest.raises(ConfigError, match=r"^'cifar' cannot be fetched; mnist and fashion-mnist can$"):
        fetch("cifar", tmp_path)
