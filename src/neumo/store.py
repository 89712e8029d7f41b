"""What was computed of radiographs, kept on disk."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from neumo.errors import NeumoError
from neumo.files import size_on_disk

T = TypeVar("T")
V = TypeVar("V")

SCHEMA = """
CREATE TABLE IF NOT EXISTS spaces (id INTEGER PRIMARY KEY, about TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS entries (
    space INTEGER NOT NULL REFERENCES spaces, key TEXT NOT NULL, value BLOB NOT NULL, crc32 INTEGER NOT NULL,
    UNIQUE (space, key)
);
"""
WAIT = 60  # seconds for another process to finish a write
AT_ONCE = 500  # keys in one query; SQLite takes at least 999 values

# What SQLite's error codes, by the beginnings of their names, mean to a user.
_TOLD = {
    (
        "FULL",
        "IOERR_WRITE",
    ): "got a full disk, expected room to write; what was stored is kept, free some room",
    (
        "READONLY",
        "CANTOPEN",
        "PERM",
        "AUTH",
    ): "got no permission to write, expected a file that can be written",
    ("BUSY", "LOCKED"): f"got a store that another process has locked for {WAIT} s, expected it free by then",
}


class Store(Generic[V]):
    """Values under the key of everything they depend on, in one SQLite file.

    An entry belongs to a space, which says what its entries have in common (backbone, precision ...),
    and has a key, which says of which image it is. Several processes may use one store; one that is killed at
    any point leaves it whole. An entry that does not fit its checksum counts as absent. A file that is no
    intact database is moved aside, with a warning.

    Args:
        path: the file. It is opened when first used.
        encode: a value to its bytes.
        decode: the bytes of a value back to it.

    Raises:
        NeumoError: in every method, where the file cannot be opened, read or written.

    Example:
        >>> with Store("ages.sqlite", lambda age: b"%d" % age, int) as store:
        ...     store.put_many({"header": "PatientAge"}, {"5e88": 4})
        ...     store.get_many({"header": "PatientAge"}, ["5e88", "unknown"])
        {'5e88': 4}
    """

    def __init__(self, path: str | Path, encode: Callable[[V], bytes], decode: Callable[[bytes], V]) -> None:
        self.path = Path(path)
        self._encode, self._decode = encode, decode
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; it is opened again when the store is used again."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def get_many(self, space: Mapping[str, Any], keys: Sequence[str]) -> dict[str, V]:
        """Those of the entries that are there and intact."""
        about = _text(space)

        def get(database: sqlite3.Connection) -> dict[str, V]:
            found = {}
            for some in (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE)):
                rows = database.execute(
                    "SELECT key, value, crc32 FROM entries WHERE space ="
                    f" (SELECT id FROM spaces WHERE about = ?) AND key IN ({','.join('?' * len(some))})",
                    (about, *some),
                )
                for key, value, crc in rows:
                    if crc == _crc(about, key, value):
                        found[key] = self._decode(value)
            return found

        return self._run(get)

    def put_many(self, space: Mapping[str, Any], values: Mapping[str, V]) -> None:
        """Keep values, all of them or, when interrupted, none; the same keys are replaced."""
        about = _text(space)
        blobs = {key: self._encode(value) for key, value in values.items()}

        def put(database: sqlite3.Connection) -> None:
            with _transaction(database):
                database.execute("INSERT OR IGNORE INTO spaces (about) VALUES (?)", (about,))
                (number,) = database.execute("SELECT id FROM spaces WHERE about = ?", (about,)).fetchone()
                database.executemany(
                    "INSERT OR REPLACE INTO entries (space, key, value, crc32) VALUES (?, ?, ?, ?)",
                    [(number, key, blob, _crc(about, key, blob)) for key, blob in blobs.items()],
                )

        self._run(put)

    def summary(self) -> list[dict[str, Any]]:
        """What is stored: the items of each space with "entries" and "bytes", of the values alone."""
        rows = self._run(
            lambda database: database.execute(
                "SELECT about, COUNT(key), TOTAL(LENGTH(value)) FROM spaces LEFT JOIN entries"
                " ON entries.space = spaces.id GROUP BY spaces.id ORDER BY spaces.id"
            ).fetchall()
        )
        return [
            {**json.loads(about), "entries": entries, "bytes": int(size)} for about, entries, size in rows
        ]

    @property
    def size(self) -> int:
        """Bytes on disk, with what was moved aside."""
        return size_on_disk(self.path.parent, self.path.name + "*")

    def clear(self, **about: Any) -> int:
        """Forget the spaces that have these items (all, if none is given); say how many entries they had."""

        def clear(database: sqlite3.Connection) -> int:
            with _transaction(database):
                every = database.execute("SELECT id, about FROM spaces").fetchall()
                gone = [(number,) for number, text in every if about.items() <= json.loads(text).items()]
                entries = sum(
                    database.execute("DELETE FROM entries WHERE space = ?", one).rowcount for one in gone
                )
                database.executemany("DELETE FROM spaces WHERE id = ?", gone)
            with contextlib.suppress(
                sqlite3.OperationalError
            ):  # where no room is given back, it is used again
                database.execute("VACUUM")
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return entries

        entries = self._run(clear)
        if not about:
            self._aside.unlink(missing_ok=True)
        return entries

    @property
    def _aside(self) -> Path:
        return self.path.with_name(self.path.name + ".damaged")

    def _run(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the database; do it again with an empty one where the file is damaged."""
        try:
            return action(self._open())
        except sqlite3.DatabaseError as error:
            if not _code(error).startswith(("CORRUPT", "NOTADB", "ERROR")):
                raise self._told(error) from error
            self._move_aside(error)
        try:
            return action(self._open())
        except sqlite3.DatabaseError as error:
            raise self._told(error) from error

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise NeumoError(
                    f"{self.path.parent}: got {error.strerror}, expected a cache folder that can be made and "
                    "written; name one in NEUMO_CACHE"
                ) from error
            database = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
            try:
                self._file = self.path.stat().st_ino
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = NORMAL")
                database.executescript(SCHEMA)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    def _move_aside(self, error: sqlite3.DatabaseError) -> None:
        self.close()
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_ino != self._file:
                return  # another process has moved it already
            self.path.replace(self._aside)
            for end in ("-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            print(
                f"neumo: warning: {self.path}: got a damaged file ({error}), expected a store of neumo's; "
                f"it is moved to {self._aside.name}, what was in it is computed anew",
                file=sys.stderr,
            )

    def _told(self, error: sqlite3.DatabaseError) -> NeumoError:
        for codes, told in _TOLD.items():
            if _code(error).startswith(codes):
                return NeumoError(f"{self.path}: {told}, or name another cache folder in NEUMO_CACHE")
        return NeumoError(f"{self.path}: got {error} ({_code(error)}), expected a store of neumo's")


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # SQLite itself rolls back on a full disk
            database.execute("ROLLBACK")
        raise


def _code(error: sqlite3.DatabaseError) -> str:
    """SQLite's name of the error without its prefix; the misuse of Python's module has none, it is a bug."""
    name = getattr(error, "sqlite_errorname", None)
    if name is None:
        raise error
    return name.removeprefix("SQLITE_")


def _text(space: Mapping[str, Any]) -> str:
    return json.dumps(space, sort_keys=True)


def _crc(about: str, key: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(f"{about}|{key}|".encode()))
