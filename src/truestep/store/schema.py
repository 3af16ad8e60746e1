"""What a run's SQLite file looks like inside, and how values are put into it."""

import json
import math
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

APPLICATION = 0x74737470
VERSION = 1
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS config (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scalars (step INTEGER NOT NULL, name TEXT NOT NULL, value REAL);
CREATE TABLE IF NOT EXISTS epochs (epoch INTEGER PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (time TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS status (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT NOT NULL, started TEXT NOT NULL,
                                   seconds REAL NOT NULL, held INTEGER NOT NULL);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""


def check_ours(connection: sqlite3.Connection, empty: bool = True) -> None:
    """Refuses a database of some other program, and one of a newer truestep; a new one has no tables yet."""
    if empty and connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] == 0:
        return
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise sqlite3.DatabaseError("it is a database of another program")
    if connection.execute("PRAGMA user_version").fetchone()[0] > VERSION:
        raise sqlite3.DatabaseError("it was written by a newer truestep: pip install -U truestep")


def to_json(value: object) -> str:
    """JSON with Python's NaN and Infinity; arrays become lists, and what JSON does not know becomes its text."""
    return json.dumps(value, default=lambda odd: odd.tolist() if hasattr(odd, "tolist") else str(odd))


def clean(text: object) -> str:
    """Text that UTF-8 can hold: names of files may bring lone surrogates along."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")


def now() -> str:
    """The UTC time in ISO form, of one width, so that sorting the text sorts the times."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def strict(found: Any) -> Any:
    """The same in what JSON itself knows: no number that is not finite (null then), and text for anything odd."""
    if isinstance(found, Mapping):
        return {str(key): strict(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [strict(value) for value in found]
    if isinstance(found, float):
        return found if math.isfinite(found) else None
    return found if found is None or isinstance(found, bool | int | str) else str(found)
