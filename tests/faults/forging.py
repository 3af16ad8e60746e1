"""Forged checkpoints: anything may stand in them, and their checksums are right all the same."""

import hashlib
import json
import random
from dataclasses import dataclass, field


def entry(name, dtype, shape, start, stop):
    """One entry of a header, spelled as truestep spells it."""
    sizes = ",".join(map(str, shape))
    return f'{json.dumps(name)}:{{"dtype":"{dtype}","shape":[{sizes}],"data_offsets":[{start},{stop}]}}'


@dataclass
class Forgery:
    """A checkpoint in pieces that can be replaced one by one; where a piece is None the right one is made."""

    tensors: list = field(default_factory=lambda: [["w", "F32", [2, 3], bytes(24)], ["b", "BOOL", [2], b"\1\0"]])
    text: bytes = b'{"plain":{"step":3},"types":{}}'
    schema: str = "1"
    entries: list | None = None  # texts
    sums: list | None = None
    head: str | None = None  # the whole header, in which SUM stands for its checksum
    length: int | None = None
    tail: bytes = b""

    def parts(self):
        return [*self.tensors, ["truestep.json", "U8", [len(self.text)], self.text]]

    def placed(self):
        """Entries one behind the other, whatever their shapes say."""
        at, found = 0, []
        for name, dtype, shape, data in self.parts():
            found.append(entry(name, dtype, shape, at, at + len(data)))
            at += len(data)
        return found

    def make(self):
        datas = [data for *_, data in self.parts()]
        sums = [hashlib.sha256(data).hexdigest() for data in datas] if self.sums is None else self.sums
        entries = self.placed() if self.entries is None else self.entries
        start = f'{{"__metadata__":{{"truestep":"checkpoint","schema":"{self.schema}","sha256":"SUM",'
        whole = ",".join([f'{start}"parts":"{"".join(sums)}"}}', *entries]) + "}"
        text = (whole if self.head is None else self.head).encode()
        blank = text.replace(b"SUM", b"0" * 64, 1)
        blank += b" " * (-len(blank) % 8)
        length = (len(blank) if self.length is None else self.length).to_bytes(8, "little")
        place = text.find(b"SUM")
        digest = hashlib.sha256(length + blank).hexdigest().encode()
        signed = blank if place < 0 else blank[:place] + digest + blank[place + 64 :]
        return length + signed + b"".join(datas) + self.tail


INTEGERS = [0, 1, 2, 3, 7, 8, 24, 26, 2**31, 2**32 - 1, 2**53, 2**62, 2**63 - 1, 2**63, 10**18, 10**19]
WORDS = [
    "",
    "w",
    "b",
    "truestep.json",
    "__metadata__",
    "../../etc/passwd",
    "__reduce__",
    "os.system",
    "\0",
    "é",
    "n" * 3000,
]
TYPES = ["F64", "F32", "F16", "BF16", "F8_E4M3", "I64", "U8", "BOOL", "C64", "F4", "O", "PICKLE", "complex128"]
TEXTS = [
    b"", b"{}", b"[]", b"null", b"NaN", b"\x80\x04cos\nsystem\n(S'true'\ntR.", b'\xff{"plain":{},"types":{}}',
    b'{"plain":[],"types":{}}', b'{"plain":{},"types":[]}', b'{"plain":{},"types":{},"more":0}', b'{"plain":{}}',
    b'{"plain":{},"types":{"w":"os.system"}}', b'{"plain":{},"types":{"w":"complex128"}}',
    b'{"plain":{"__reduce__":["os.system","true"]},"types":{}}', b'{"plain":{},"types":{"w":{"w":[]}}}',
    b'{"plain":{"a":1,"a":2},"types":{}}', b'{"plain":{"a":1e999},"types":{}}', b'{"plain": {},"types":{}}',
    b'{"plain":{"a":' + b"[" * 500 + b"]" * 500 + b'},"types":{}}', b'{"plain":' + b"[" * 50_000,
    b'{"plain":{"a":' + b"9" * 5000 + b'},"types":{}}',
]  # fmt: skip


def mutated(draw: random.Random) -> bytes:
    """A forgery that one to three strokes have changed, its checksums right in most cases."""
    made = Forgery()
    for _ in range(draw.randint(1, 3)):
        draw.choice([_tensor, _entry, _entry, _text, _sums, _head, _bytes])(made, draw)
    content = bytearray(made.make())
    if draw.random() < 0.2:
        for _ in range(draw.randint(1, 5)):
            content[draw.randrange(len(content))] = draw.randrange(256)
    return bytes(content[: draw.randrange(len(content))] if draw.random() < 0.1 else content)


def _tensor(made, draw):
    each = draw.choice(made.tensors) if made.tensors else made.tensors.append(["x", "U8", [0], b""]) or made.tensors[0]
    kind = draw.randrange(6)
    if kind == 0:
        each[0] = draw.choice(WORDS)
    elif kind == 1:
        each[1] = draw.choice(TYPES)
    elif kind == 2:
        each[2] = [draw.choice(INTEGERS) for _ in range(draw.choice([0, 1, 2, 3, 64, 65]))]
    elif kind == 3:
        each[3] = draw.randbytes(draw.choice([0, 1, 24, 26, 1000]))
    elif kind == 4:
        made.tensors.remove(each)
    else:
        made.tensors.append(list(each))


def _entry(made, draw):
    made.entries = made.placed() if made.entries is None else made.entries
    name, dtype, shape, data = draw.choice(made.parts())
    start = draw.choice(INTEGERS)
    stop = draw.choice([start + len(data), start, *INTEGERS])
    place = draw.randrange(len(made.entries) + 1)
    made.entries[place : place + draw.randrange(2)] = [entry(name, dtype, shape, start, stop)]
    if draw.random() < 0.3:
        draw.shuffle(made.entries)


def _text(made, draw):
    made.text = draw.choice(TEXTS)


def _sums(made, draw):
    made.sums = ["0" * 64] * draw.choice([0, 1, 3, 4, 100])


def _head(made, draw):
    depth = draw.choice([10, 1000, 100_000])
    made.head = draw.choice(
        ['{"a":' * depth, "[" * depth, "{}", '{"__metadata__":{}}', "SUM", " ", '{"__metadata__":{"truestep":']
    )


def _bytes(made, draw):
    if draw.random() < 0.5:
        made.length = draw.choice([*INTEGERS[:-1]])
    else:
        made.tail = draw.randbytes(draw.choice([1, 8, 1000]))
