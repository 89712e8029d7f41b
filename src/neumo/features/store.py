"""Numbers computed from radiographs, kept on disk."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from neumo.errors import NeumoError
from neumo.files import cache_folder, size_on_disk

T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS spaces (id INTEGER PRIMARY KEY, about TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS entries (
    space INTEGER NOT NULL REFERENCES spaces, key TEXT NOT NULL, vector BLOB NOT NULL, crc32 INTEGER NOT NULL,
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


class FeatureStore:
    """Vectors under the key of everything they depend on, in one SQLite file.

    An entry belongs to a space, which says what its entries have in common (backbone, precision ...),
    and has a key, which says of which image it is. Several processes may use one store; one that is killed at
    any point leaves it whole. An entry that does not fit its checksum counts as absent. A file that is no
    intact database is moved aside, with a warning.

    Args:
        path: the file; ``features.sqlite`` in the cache folder if not given. It is opened when first used.

    Raises:
        NeumoError: in every method, where the file cannot be opened, read or written.

    Example:
        >>> with FeatureStore() as store:
        ...     store.put_many({"backbone": "ResNet50"}, {"5e88": np.ones(2048, np.float32)})
        ...     list(store.get_many({"backbone": "ResNet50"}, ["5e88", "unknown"]))
        ['5e88']
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path else cache_folder() / "features.sqlite"
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> FeatureStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; it is opened again when the store is used again."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def get_many(self, space: Mapping[str, Any], keys: Sequence[str]) -> dict[str, np.ndarray]:
        """Those of the entries that are there and intact, float32 (d,) each."""
        about = _text(space)

        def get(database: sqlite3.Connection) -> dict[str, np.ndarray]:
            found = {}
            for some in (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE)):
                rows = database.execute(
                    "SELECT key, vector, crc32 FROM entries WHERE space ="
                    f" (SELECT id FROM spaces WHERE about = ?) AND key IN ({','.join('?' * len(some))})",
                    (about, *some),
                )
                for key, vector, crc in rows:
                    if crc == _crc(about, key, vector):
                        found[key] = np.frombuffer(vector, np.float32)
            return found

        return self._run(get)

    def put_many(self, space: Mapping[str, Any], vectors: Mapping[str, np.ndarray]) -> None:
        """Keep float32 vectors, all of them or, when interrupted, none; the same keys are replaced."""
        about = _text(space)
        blobs = {key: np.asarray(vector, np.float32).tobytes() for key, vector in vectors.items()}

        def put(database: sqlite3.Connection) -> None:
            with _transaction(database):
                database.execute("INSERT OR IGNORE INTO spaces (about) VALUES (?)", (about,))
                (number,) = database.execute("SELECT id FROM spaces WHERE about = ?", (about,)).fetchone()
                database.executemany(
                    "INSERT OR REPLACE INTO entries (space, key, vector, crc32) VALUES (?, ?, ?, ?)",
                    [(number, key, blob, _crc(about, key, blob)) for key, blob in blobs.items()],
                )

        self._run(put)

    def summary(self) -> list[dict[str, Any]]:
        """What is stored: the items of each space with "entries" and "bytes", of the vectors alone."""
        rows = self._run(
            lambda database: database.execute(
                "SELECT about, COUNT(key), TOTAL(LENGTH(vector)) FROM spaces LEFT JOIN entries"
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
            if not _code(error).startswith(("CORRUPT", "NOTADB")):
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
                f"neumo: warning: {self.path}: got a damaged file ({error}), expected a feature store; "
                f"it is moved to {self._aside.name}, its features are computed anew",
                file=sys.stderr,
            )

    def _told(self, error: sqlite3.DatabaseError) -> NeumoError:
        for codes, told in _TOLD.items():
            if _code(error).startswith(codes):
                return NeumoError(f"{self.path}: {told}, or name another cache folder in NEUMO_CACHE")
        return NeumoError(f"{self.path}: got {error} ({_code(error)}), expected a feature store")


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


def _crc(about: str, key: str, vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(f"{about}|{key}|".encode()))
