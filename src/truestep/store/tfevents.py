"""TensorBoard's event files, written as its reader wants them, without TensorBoard.

A file is a row of records: length (8 bytes, little-endian), masked CRC-32C of the length, data, masked CRC-32C of the
data (tensorflow/core/lib/io/record_writer.h). The data is an `Event` (tensorflow/core/util/event.proto): wall_time = 1,
step = 2, file_version = 3, summary = 5; a `Summary` holds values of tag = 1 and simple_value = 2.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

Moment = tuple[float, int, Mapping[str, float]]  # seconds since 1970, step, scalars by their tags


def event_file(start: float, moments: Iterable[Moment]) -> Iterator[bytes]:
    """The records of a file that was begun at `start`; a scalar beyond the range of float32 becomes an infinity."""
    yield _record(_double(1, start) + _bytes(3, b"brain.Event:2"))
    for time, step, scalars in moments:
        values = b"".join(_bytes(1, _bytes(1, tag.encode()) + _float(2, scalars[tag])) for tag in scalars)
        yield _record(_double(1, time) + _whole(2, step) + _bytes(5, values))


def crc32c(data: bytes) -> int:
    """The CRC with Castagnoli's polynomial, bits reflected (RFC 3720, appendix B.4)."""
    found = 0xFFFFFFFF
    for byte in data:
        found = found >> 8 ^ _TABLE[(found ^ byte) & 0xFF]
    return found ^ 0xFFFFFFFF


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = [_entry(byte) for byte in range(256)]


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data: bytes) -> bytes:
    found = crc32c(data)
    return struct.pack("<I", ((found >> 15 | found << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _double(field: int, value: float) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    with np.errstate(over="ignore"):
        return bytes([field << 3 | 5]) + np.float32(value).astype("<f4").tobytes()


def _whole(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    value &= 0xFFFFFFFFFFFFFFFF  # a negative number is its two's complement
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
