"""The floors of the house: which room may import which, and which library lives where."""

import ast
import sys
from collections.abc import Set
from dataclasses import dataclass

from house.source import Import, Source


@dataclass(frozen=True)
class Room:
    rooms: Set[str]
    libraries: Set[str]
    banned: Set[str] = frozenset()  # parts of the standard library that the room does without


TORCH = {"torch"}
BYTES = TORCH | {"numpy", "safetensors"}
BELOW = {"core", "store", "data"}
VERBS = {"explain", "check", "sweep"}
SURFACES = {"plot", "board", "notebook", "cli"}
INSIDE = BELOW | {"fit"} | VERBS | SURFACES
CLOCK = {"time", "datetime"}
FILES = {"io", "os", "pathlib", "shutil", "socket", "sqlite3", "subprocess", "tempfile"}

ROOMS = {
    "core": Room(set(), TORCH, banned=CLOCK | FILES | {"random"}),
    "store": Room({"core"}, BYTES),
    "data": Room({"core"}, BYTES, banned={"sqlite3"}),
    "fit": Room(BELOW, BYTES, banned={"sqlite3"}),
    "explain": Room(BELOW | {"fit"}, BYTES, banned={"sqlite3"}),
    "check": Room(BELOW, BYTES, banned={"sqlite3"}),  # it watches anybody's loop, so it needs nothing of ours
    "sweep": Room(BELOW | {"fit"}, BYTES | {"ray", "optuna"}, banned={"sqlite3"}),
    "plot": Room(INSIDE, BYTES | {"matplotlib", "matplotlib_inline"}, banned={"sqlite3"}),
    "board": Room(INSIDE, BYTES | {"starlette", "uvicorn"}, banned={"sqlite3"}),
    "notebook": Room(INSIDE, BYTES | {"anywidget", "traitlets", "IPython"}, banned={"sqlite3"}),
    "cli": Room(INSIDE, BYTES | {"rich"}, banned={"sqlite3"}),
}
USERS = {"recipes", "lessons", "d2l"}

# Doors, each with a reason, and only from inside a function or for the type checker: nothing is loaded before its use.
DOORS = {
    "data": {"truestep.store.atomic"},  # what is fetched must be written, and only that file writes
    "fit": {"truestep.plot", "truestep.notebook"},  # run.plot(), and what a notebook shows
    "explain": {"truestep.plot"},
    "check": {"truestep.notebook"},  # a report as HTML
    "sweep": {"truestep.plot", "truestep.notebook"},  # study.plot(), a study as HTML
    "cli": {"truestep.recipes", "truestep.lessons"},  # it starts them
}


def broken_arrows(source: Source, public: Set[str]) -> list[str]:
    """Every import of `source` that its floor forbids; `public` holds the names that users may import from truestep."""
    if source.room in USERS:
        return private_uses(source, public)
    if source.room == "":
        foreign = (item for item in source.imports() if item.root not in sys.stdlib_module_names | {"truestep"})
        return [source.at(item.line, f"imports {item.target}: the root package only names things") for item in foreign]
    if source.name == "truestep.__main__":
        return []
    if source.room not in ROOMS:
        return [source.at(1, "stands in no room of the house")]
    return [source.at(item.line, words) for item in source.imports() if (words := _forbidden(source.room, item))]


def _forbidden(name: str, item: Import) -> str:
    if item.root != "truestep":
        return _foreign(name, item)
    target = f"{item.target}.".split(".")[1]
    doors = DOORS.get(name, set()) if item.lazy or item.typing else set()
    if target == name or target in ROOMS[name].rooms or any(f"{item.target}.".startswith(f"{door}.") for door in doors):
        return ""
    if target not in set(ROOMS) | USERS:  # a name of the root package, which stands above everything
        return "" if name in SURFACES else f"imports {item.target} from the root: import it from its room"
    return f"imports {item.target}, which {name} may not"


def _foreign(name: str, item: Import) -> str:
    room = ROOMS[name]
    if item.root in room.banned:
        return f"imports {item.root}, which {name} does without"
    named = {door.split(".")[1] for door in DOORS.get(name, set()) if item.typing}  # the type of a figure, say
    allowed = room.libraries.union(*(ROOMS[door].libraries for door in named if door in ROOMS))
    if item.root in sys.stdlib_module_names or item.root in allowed:
        return ""
    return f"imports {item.root}, which does not live in {name}"


def private_uses(source: Source, public: Set[str]) -> list[str]:
    """Everything that a recipe or lesson uses and a stranger could not: whatever is not in `truestep.__all__`."""
    found = []
    aliases = {"truestep"}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname for alias in node.names if alias.name == "truestep" and alias.asname}
    for item in source.imports():
        own = item.target.startswith(f"truestep.{source.room}.")
        if item.root == "truestep" and item.target != "truestep" and not own:
            name = item.target.removeprefix("truestep.")
            if name not in public:
                found.append(source.at(item.line, f"imports {item.target}, which is not a public name"))
        elif item.root not in sys.stdlib_module_names | BYTES | {"truestep"}:
            found.append(source.at(item.line, f"imports {item.root}, which does not live in {source.room}"))
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id=alias), attr=attr) if alias in aliases and attr not in public:
                found.append(source.at(node.lineno, f"uses {alias}.{attr}, which is not a public name"))
    return found
