"""Headers with any bytes and streams that swell: a data file costs no more memory than it has promised and holds."""

import itertools
import tracemalloc

import pytest

from faults.test_hostile_idx import GOOD, header, packed, read_or_refused
from truestep.data import read_idx

CLAIM = "hostile data files"


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)])
def test_whatever_stands_in_a_header_the_numbers_are_as_many_as_it_says_or_refused(tmp_path, figure, every):
    """Each byte of a header replaced, in a long one also each pair: never other memory than the payload, or a hang."""
    places = [(place,) for place in range(12)]
    places += [(one, two) for one in range(12) for two in range(one + 1, 12)] if every else []
    values = range(256) if not every else (0, 1, 2, 3, 4, 8, 9, 11, 12, 13, 14, 64, 65, 127, 128, 255)
    tried, read = 0, 0
    tracemalloc.start()
    for where in places:
        for what in itertools.product(values, repeat=len(where)):
            content = bytearray(GOOD)
            for place, value in zip(where, what, strict=True):
                content[place] = value
            for whole in (bytes(content), packed(content)):
                tried += 1
                if not isinstance(read_or_refused(tmp_path / "idx", whole), str):
                    read += 1
                    assert read_idx(tmp_path / "idx").nbytes == 6
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    said = f"{read} of 6 bytes as before, {tried - read:,} refused, at most {most:,} bytes of memory"
    figure(CLAIM, "replaced bytes of a header", f"{tried:,} files", said)
    assert most < 2_000_000


def test_a_bomb_of_many_streams_is_refused_where_the_promise_ends(tmp_path, figure):
    """Gzip streams may follow one another, and each may be empty: what counts is what comes out."""
    bombs = {
        "one after another": packed(header(100)) + packed(bytes(1_000_000)) * 50,
        "many that are empty": packed(header(100)) + packed(b"") * 20_000,
        "a name without end": b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 1_000_000,
        "a comment in each": (packed(GOOD)[:3] + b"\x10" + bytes(6) + b"c" * 1000 + b"\0" + packed(b"")[10:]) * 100,
        "packed twice": packed(packed(header(100) + bytes(50_000_000))),
    }
    tracemalloc.start()
    for content in bombs.values():
        assert isinstance(read_or_refused(tmp_path / "idx", content), str)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    figure(CLAIM, "gzip bombs", f"{len(bombs)} files", f"0 read, at most {most:,} bytes of memory")
    assert most < 4_000_000
