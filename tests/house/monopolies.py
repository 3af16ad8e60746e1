"""What only one file may do: divide a total by a count (core/loss.py), and write files (store/atomic.py)."""

import ast
from collections.abc import Iterator, Set

from house.source import Source, called

# Calls that write or move a file, whatever their arguments.
ALWAYS = {
    "os.replace", "os.rename", "os.link", "os.symlink", "os.truncate", "shutil.copy", "shutil.copy2",
    "shutil.copyfile", "shutil.copyfileobj", "shutil.copytree", "shutil.move", "tempfile.NamedTemporaryFile",
    "tempfile.TemporaryFile", "tempfile.mkstemp",
}  # fmt: skip
ALWAYS_METHODS = {"write_text", "write_bytes", "touch", "symlink_to", "hardlink_to", "tofile"}
# Calls that write to the file that they are given, with the place of that argument; a buffer in memory is no file.
WRITERS = {
    "torch.save": 1, "np.save": 0, "np.savez": 0, "np.savez_compressed": 0, "np.savetxt": 0, "json.dump": 1,
    "pickle.dump": 1, "save_file": 1, "safetensors.torch.save_file": 1, "safetensors.numpy.save_file": 1,
}  # fmt: skip
# Calls that open a file, with the place of their mode.
OPENERS = {
    "open": 1, "io.open": 1, "gzip.open": 1, "bz2.open": 1, "lzma.open": 1, "os.fdopen": 1, "gzip.GzipFile": 1,
    "zipfile.ZipFile": 1, "tarfile.open": 1, "np.memmap": 2,
}  # fmt: skip


def divisions(source: Source) -> list[str]:
    """Every division of something called a total by something called a count."""
    return [source.at(line, "divides a total by a count") for line, top, bottom in _quotients(source.tree)
            if "total" in _words(top) and "count" in _words(bottom)]  # fmt: skip


def _quotients(tree: ast.AST) -> Iterator[tuple[int, ast.expr, ast.expr]]:
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(left=top, op=ast.Div() | ast.FloorDiv(), right=bottom):
                yield node.lineno, top, bottom
            case ast.AugAssign(target=top, op=ast.Div() | ast.FloorDiv(), value=bottom):
                yield node.lineno, top, bottom
            case ast.Call(func=ast.Attribute(attr="div" | "div_" | "true_divide" | "divide" as name, value=value)):
                operands = node.args if called(node.func) in {f"torch.{name}", f"np.{name}"} else [value, *node.args]
                if len(operands) >= 2:
                    yield node.lineno, operands[0], operands[1]


def _words(expression: ast.expr) -> Set[str]:
    """The words of every name in an expression, in the singular: `self.train_totals[0]` holds "total"."""
    names = [node.id for node in ast.walk(expression) if isinstance(node, ast.Name)]
    names += [node.attr for node in ast.walk(expression) if isinstance(node, ast.Attribute)]
    names += [str(node.value) for node in ast.walk(expression) if isinstance(node, ast.Constant)]
    return {word.removesuffix("s") for name in names for word in name.lower().split("_")}


def writes(source: Source) -> list[str]:
    """Every call that writes or moves a file."""
    memory = {"sys.stdout", "sys.stderr"} | _buffers(source.tree)
    calls = (node for node in ast.walk(source.tree) if isinstance(node, ast.Call))
    return [
        source.at(call.lineno, f"writes a file with {called(call.func)}") for call in calls if _writes(call, memory)
    ]


def _writes(call: ast.Call, memory: Set[str]) -> bool:
    full = called(call.func)
    if full.startswith("atomic."):
        return False
    method = full.split(".")[-1] if "." in full else ""
    if full == "os.open":
        return ast.unparse(call.args[-1]) != "os.O_RDONLY"
    if full in ALWAYS or method in ALWAYS_METHODS:
        return True
    if method in {
        "replace",
        "rename",
    }:  # of a path: str.replace takes two arguments, dataclasses.replace takes keywords
        return len(call.args) == 1 and not call.keywords
    if full in OPENERS:
        mode = _argument(call, OPENERS[full], "mode")
        return mode is not None and not (isinstance(mode, ast.Constant) and not set(str(mode.value)) & set("wax+"))
    if method == "open":  # of a path, as far as one can tell: an archive's first argument is a name
        mode = _argument(call, 0, "mode")
        letters = set(str(mode.value)) if isinstance(mode, ast.Constant) else set()
        return bool(letters & set("wax+")) and letters <= set("rwaxbt+")
    if full in WRITERS or method == "savefig":
        file = _argument(call, WRITERS.get(full, 0), "")
        return file is None or called(file) not in memory
    return False


def _argument(call: ast.Call, place: int, name: str) -> ast.expr | None:
    named = [word.value for word in call.keywords if word.arg == name]
    return named[0] if named else call.args[place] if len(call.args) > place else None


def _buffers(tree: ast.AST) -> Set[str]:
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.NamedExpr) and isinstance(node.value, ast.Call)
        if called(node.value.func).split(".")[-1] in {"BytesIO", "StringIO"}
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
