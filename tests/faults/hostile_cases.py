"""Checkpoints that mean harm, each with the start of the sentence that must come of it; nothing for a sound one."""

import os
import pickle

from faults.forging import Forgery, entry

W = ["w", "F32", [2, 3], bytes(24)]
JSON = entry("truestep.json", "U8", [31], 26, 57)


class Bomb:
    def __reduce__(self):
        return os.system, ("touch bombed",)


def tensors(*several):
    return Forgery([list(each) for each in several]).make()


def text(plain):
    return Forgery(text=plain).make()


def entries(*several):
    return Forgery(entries=list(several)).make()


def start(schema):
    return f'{{"__metadata__":{{"truestep":"checkpoint","schema":"{schema}","sha256":"SUM","parts":""}}'


AGAIN = "; take an older one, or a sound copy"
UNREAD = "is damaged: its plain data cannot be read"
TWICE = f"{UNREAD} (they have repeated keys, or are not as truestep writes them)"
FOREIGN = "is no checkpoint of truestep; give the path of one"
CASES = {
    # pickles, and names of code
    "pickle": (pickle.dumps(Bomb()) + bytes(100), FOREIGN),
    "pickle as the plain data": (text(pickle.dumps(Bomb())), f"{UNREAD} ('utf-8' codec"),
    "code as a type": (text(b'{"plain":{},"types":{"w":"wave.open"}}'), "is damaged: 'w' cannot be of the type 'wave"),
    "code as a dtype": (tensors(["w", "O", [1], bytes(8)]), "is damaged: byte "),
    "unknown dtype": (tensors(["w", "OBJECT", [1], bytes(8)]), "is damaged: 'w' is of the unknown type OBJECT"),
    "type of nothing": (text(b'{"plain":{},"types":{"x":"complex128"}}'), "is damaged: it gives types of tensors"),
    "type that does not fit": (text(b'{"plain":{},"types":{"w":"complex128"}}'), "is damaged: 'w' cannot be of"),
    "type that is no text": (text(b'{"plain":{},"types":{"w":[]}}'), TWICE),
    # headers
    "empty": (b"", "is cut short: it has 0 bytes" + AGAIN),
    "zeros": (bytes(1000), FOREIGN),
    "huge header": (Forgery(length=2**63).make(), "is cut short: it has 585 bytes, and its header alone 9,223,"),
    "tiny header": (Forgery(length=2).make(), "is damaged: its header cannot have 10 bytes" + AGAIN),
    "header of other size": (Forgery(length=480).make(), "is damaged: its header does not match its checksum" + AGAIN),
    "no checksums": (Forgery(head=start(1)[:60] + " " * 100).make(), "is damaged: its checksums cannot be read"),
    "newer schema": (Forgery(schema="2").make(), "was written by a newer truestep (schema 2, and this one knows 1);"),
    "schema with a sign": (Forgery(schema="-1").make(), FOREIGN),
    "schema 0": (Forgery(schema="0").make(), FOREIGN),
    "deep header": (Forgery(head=start(1) + ',"w":{"dtype":' + "[" * 10**5).make(), "is damaged: byte "),
    "field more": (Forgery(head=start(1) + ',"w":{"run":"x"}}').make(), "is damaged: byte "),
    "one more checksum": (Forgery(sums=["0" * 64] * 4).make(), "is damaged: it has fewer parts than"),
    "one checksum less": (Forgery(sums=["0" * 64] * 2).make(), "is damaged: it has more parts than"),
    "other checksums": (Forgery(sums=["0" * 64] * 3).make(), "is damaged: the bytes of 'w' do not match"),
    # names
    "name twice": (tensors(W, W), "is damaged: it names 'w' twice" + AGAIN),
    "name twice, spelled twice": (
        entries(entry("w", "F32", [2, 3], 0, 24), entry("w", "BOOL", [2], 24, 26).replace("w", "\\u0077"), JSON),
        "is damaged: it holds a name that is not as truestep writes it" + AGAIN,
    ),
    "empty name": (tensors(["", "U8", [1], b"x"]), "is damaged: byte "),
    "plain data twice": (tensors(["truestep.json", "U8", [2], b"{}"]), "is damaged: it names 'truestep.json' twice"),
    "no plain data": (
        entries(entry("w", "F32", [2, 3], 0, 24), entry("b", "BOOL", [2], 24, 26), entry("c", "U8", [31], 26, 57)),
        "is damaged: it has no plain data, or too many" + AGAIN,
    ),
    "plain data of another kind": (
        entries(entry("w", "F32", [2, 3], 0, 24), entry("b", "BOOL", [2], 24, 26), JSON.replace('"U8"', '"I8"')),
        "",
    ),
    # places and shapes
    "overlap": (
        entries(entry("w", "F32", [2, 3], 0, 24), entry("b", "BOOL", [2], 22, 24), JSON),
        "is damaged: the place of 'b' overlaps the part before it" + AGAIN,
    ),
    "gap": (
        entries(entry("w", "F32", [2, 3], 0, 24), entry("b", "BOOL", [2], 25, 27), JSON),
        "is damaged: the place of 'b' leaves a gap before it" + AGAIN,
    ),
    "backwards": (entries(entry("w", "F32", [2, 3], 24, 0)), "is damaged: 'w' needs 24 bytes, and its place has -24"),
    "negative": (entries(entry("w", "F32", [-2, 3], 0, 24)), "is damaged: byte "),
    "zeros before a number": (entries(entry("w", "F32", ["02", 3], 0, 24)), "is damaged: byte "),
    "shape and bytes": (tensors(["w", "F32", [2, 4], bytes(24)]), "is damaged: 'w' needs 32 bytes, and its place"),
    "shape that overflows": (tensors(["w", "F32", [2**32, 2**32], b""]), "is damaged: the shape of 'w' is larger"),
    "nothing of a huge shape": (tensors(["w", "F32", [0, 2**62, 8], b""]), "is damaged: the shape of 'w' is larger"),
    "65 dimensions": (tensors(["w", "U8", [1] * 65, b"x"]), "is damaged: byte "),
    "bytes more": (Forgery(tail=b"x").make(), "is too long: it has 586 bytes of 585" + AGAIN),
    "bytes less": (Forgery().make()[:-1], "is cut short: it has 584 bytes of 585" + AGAIN),
    "more memory than there is": (
        entries(entry("w", "U8", [2**50], 0, 2**50), entry("b", "BOOL", [2], 2**50, 2**50 + 2)),
        "is damaged: it has fewer parts than checksums",
    ),
    "truth of 2": (tensors(["b", "BOOL", [2], b"\1\2"]), "is damaged: 'b' holds a truth value other than 0 and 1"),
    # plain data
    "keys twice": (text(b'{"plain":{"a":1,"a":2},"types":{}}'), TWICE + AGAIN),
    "parts twice": (text(b'{"plain":{"a":1},"plain":{},"types":{}}'), TWICE),
    "number beyond all": (text(b'{"plain":{"a":1e999},"types":{}}'), TWICE),
    "number of 5,000 digits": (text(b'{"plain":' + b"9" * 5000 + b"}"), f"{UNREAD} (Exceeds"),
    "deep": (text(b'{"plain":' + b'{"a":' * 10**5), f"{UNREAD} (they are nested too"),
    "somewhat deep": (text(b'{"plain":{"a":' + b"[" * 300 + b"]" * 300 + b'},"types":{}}'), TWICE),
    "many items": (text(b"[" + b"[]," * 2**20), f"{UNREAD} (they have too many items)"),
    "a million items at the edge": (
        text(b'{"plain":{"a":[' + b"{}," * (2**19 - 10) + b'0],"a":0},"types":{}}'),
        TWICE,
    ),
    "names that look like paths and code": (
        Forgery(
            [["../../outside", "U8", [1], b"x"], ["/etc/passwd", "U8", [1], b"x"], ["__reduce__", "U8", [1], b"x"]],
            b'{"plain":{"__class__":"os.system","file":"/dev/zero"},"types":{}}',
        ).make(),
        "",
    ),
}  # fmt: skip


def special_files(folder):
    """What is no regular file, or is one that holds no bytes for its size."""
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "device").symlink_to("/dev/zero")
    (folder / "full").symlink_to("/dev/full")
    (folder / "loop").symlink_to("loop")
    (folder / "nowhere").symlink_to("missing")
    (folder / "link to a pipe").symlink_to("pipe")
    whole = Forgery(
        [], entries=[entry("w", "U8", [2**42], 0, 2**42), entry("truestep.json", "U8", [31], 2**42, 2**42 + 31)]
    )
    whole.sums = ["0" * 64] * 2
    holes(folder / "terabytes of holes", whole.make(), 2**42)
    whole.entries = [entry("w", "U8", [2**28], 0, 2**28), entry("truestep.json", "U8", [31], 2**28, 2**28 + 31)]
    holes(folder / "holes", whole.make(), 2**28)
    (folder / "header of holes").write_bytes((2**26 - 8).to_bytes(8, "little") + start(1).encode())
    os.truncate(folder / "header of holes", 2**26)
    many = [entry(f"{k}", "U8", [0], 0, 0) for k in range(40_000)]
    (folder / "many parts").write_bytes(Forgery([], sums=["0" * 64] * 50_000, entries=many).make())
    regular = "is no file that can hold a checkpoint; give the path of a regular file"
    return {
        **dict.fromkeys(("pipe", "device", "full", "link to a pipe"), regular),
        "folder": "cannot be read: Is a directory; see to the file and its disk",
        "loop": "cannot be read: Too many levels of symbolic links; see to the file and its disk",
        "nowhere": "there is no checkpoint at ",
        "terabytes of holes": "needs 4,398,046,511,135 bytes of memory, and this machine has ",
        "holes": "is damaged: the bytes of 'w' do not match their checksum",
        "header of holes": "is damaged: its checksums cannot be read",
        "many parts": "is damaged: it has fewer parts than checksums",
    }


def holes(path, content, size):
    """`content` with `size` bytes behind its header that the disk does not hold."""
    head = 8 + int.from_bytes(content[:8], "little")
    path.write_bytes(content[:head])
    os.truncate(path, head + size)
    with path.open("ab") as file:
        file.write(content[head:])
