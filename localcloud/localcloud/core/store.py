"""The local cloud's state: protobuf messages by kind and name, in one SQLite file that survives restarts."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError

M = TypeVar("M", bound=Message)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    message BLOB NOT NULL,
    UNIQUE (kind, name)
);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Kind(Generic[M]):
    """A kind of resource, declared where it is served: `ENDPOINTS = Kind("endpoint", Endpoint.pb())`.

    The name must not change in later versions, because rows on disk are found by it.
    """

    name: str
    message_type: type[M]


class Store:
    """Thread-safe. Every call is atomic; `transaction()` makes several calls one."""

    def __init__(self, path: Path, *, wiping: bool = False) -> None:
        """`wiping`: deleted rows are overwritten on disk, which makes writing slower."""
        path.touch(mode=0o600, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # A write-ahead log would keep deleted rows until its next checkpoint.
        self._connection.execute(f"PRAGMA journal_mode = {'DELETE' if wiping else 'WAL'}")
        # WAL with NORMAL survives a killed process; only a power cut may lose the last commits.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(f"PRAGMA secure_delete = {'ON' if wiping else 'OFF'}")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes the calls inside the context one atomic change. Other threads wait; transactions may be nested."""
        with self._lock:
            outermost = self._depth == 0
            if outermost:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                if outermost:
                    self._connection.execute("ROLLBACK")
                raise
            else:
                if outermost:
                    self._connection.execute("COMMIT")
            finally:
                self._depth -= 1

    def get(self, kind: Kind[M], name: str) -> M | None:
        with self._lock:
            row = self._connection.execute(
                "SELECT message FROM resources WHERE kind = ? AND name = ?", (kind.name, name)
            ).fetchone()
        return kind.message_type.FromString(row[0]) if row else None

    def require(self, kind: Kind[M], name: str) -> M:
        """Like `get`. Raises ApiError NOT_FOUND in the words of the real services."""
        message = self.get(kind, name)
        if message is None:
            raise not_found(kind, name)
        return message

    def insert(self, kind: Kind[M], name: str, message: M) -> None:
        """Raises ApiError ALREADY_EXISTS."""
        with self.transaction():
            if self.get(kind, name) is not None:
                raise ApiError("ALREADY_EXISTS", f"{kind.message_type.DESCRIPTOR.name} {name} already exists.")
            self.put(kind, name, message)

    def put(self, kind: Kind[M], name: str, message: M) -> None:
        """Creates or replaces the resource; a replaced one keeps its place in `list`."""
        with self._lock:
            self._connection.execute(
                "INSERT INTO resources (kind, name, message) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, name) DO UPDATE SET message = excluded.message",
                (kind.name, name, message.SerializeToString()),
            )

    @contextmanager
    def update(self, kind: Kind[M], name: str) -> Iterator[M]:
        """Yields the message and stores it as the block leaves it, atomically; stores nothing when the block raises.

        Raises ApiError NOT_FOUND.
        """
        with self.transaction():
            message = self.require(kind, name)
            yield message
            self.put(kind, name, message)

    def delete(self, kind: Kind[M], name: str) -> bool:
        """Deletes the resource; returns whether it existed."""
        with self._lock:
            cursor = self._connection.execute("DELETE FROM resources WHERE kind = ? AND name = ?", (kind.name, name))
            return cursor.rowcount == 1

    def items(self, kind: Kind[M], parent: str = "") -> list[tuple[str, M]]:
        """All of a kind under `parent` at any depth ("" = everywhere), with names, in the order of their creation."""
        # "0" follows "/" in ASCII: the range holds exactly the names that start with `parent/`.
        low, high = (f"{parent}/", f"{parent}0") if parent else ("", "\U0010ffff")
        with self._lock:
            rows = self._connection.execute(
                "SELECT name, message FROM resources WHERE kind = ? AND name >= ? AND name < ? ORDER BY sequence",
                (kind.name, low, high),
            ).fetchall()
        return [(name, kind.message_type.FromString(message)) for name, message in rows]

    def next_number(self, counter: str) -> int:
        """The counter's next number: 1, 2, 3, …, across restarts."""
        with self._lock:
            row = self._connection.execute(
                "INSERT INTO counters (name, value) VALUES (?, 1) "
                "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                (counter,),
            ).fetchone()
        return int(row[0])

    def list(self, kind: Kind[M], parent: str = "") -> list[M]:
        """Like `items`, without the names."""
        return [message for _, message in self.items(kind, parent)]


def not_found(kind: Kind[M], name: str) -> ApiError:
    return ApiError("NOT_FOUND", f"The {kind.message_type.DESCRIPTOR.name} {name} does not exist.")
