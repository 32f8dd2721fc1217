"""Answers written down as they come, so that a killed evaluation does not ask again what was answered."""

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol

from pydantic import TypeAdapter

from vertex_vllm.evaluation.asking import Reply
from vertex_vllm.evaluation.kept_text import KeptText
from vertex_vllm.evaluation.suites.item import Item
from vertex_vllm.foreign_json import parsed


class Journal(Protocol):
    """Replies by item. Threads may share it."""

    started_at: str
    """Start of the evaluation's first attempt: UTC, ISO 8601."""

    def reply(self, item: Item) -> Reply | None:
        """The reply that an earlier attempt received; None: the item has to be asked."""

    def add(self, item: Item, reply: Reply) -> None:
        """Keeps a reply for a later attempt."""


_REPLY = TypeAdapter(Reply)


@dataclass
class Page:
    """The journal's text: one header line, one line per reply."""

    endpoint: str
    started_at: str
    lines: list[str] = field(default_factory=list)
    replies: dict[tuple[str, str], Reply] = field(default_factory=dict)

    def put(self, item: Item, reply: Reply) -> None:
        row = {"id": item.id, "digest": item.digest, "reply": asdict(reply)}
        self.lines.append(json.dumps(row, ensure_ascii=False))
        self.replies[item.id, item.digest] = reply

    def header(self) -> str:
        return json.dumps({"endpoint": self.endpoint, "started_at": self.started_at})

    def text(self) -> str:
        return "\n".join([self.header(), *self.lines]) + "\n"

    @classmethod
    def read(cls, text: str, endpoint: str, started_at: str) -> "Page":
        """The page that an earlier attempt wrote; empty if it is another endpoint's. A cut last line is left out."""
        page = cls(endpoint, started_at)
        # Answers may hold other line ends (U+2028, for example), at which `splitlines` would cut a row.
        rows = [row for row in map(_row, text.split("\n")) if row is not None]
        if not rows or rows[0].get("endpoint") != endpoint:
            return page
        page.started_at = str(rows[0].get("started_at") or started_at)
        for row in rows[1:]:
            try:
                page.replies[str(row["id"]), str(row["digest"])] = _reply(row["reply"])
            except (KeyError, TypeError, ValueError):
                continue
            page.lines.append(json.dumps(row, ensure_ascii=False))
        return page


class MemoryJournal:
    """A journal that ends with the process."""

    def __init__(self, endpoint: str, started_at: str) -> None:
        self._page = Page(endpoint, started_at)
        self.started_at = started_at

    def reply(self, item: Item) -> Reply | None:
        return self._page.replies.get((item.id, item.digest))

    def add(self, item: Item, reply: Reply) -> None:
        self._page.put(item, reply)


class ObjectJournal:
    """A journal in Cloud Storage, best effort: a reply that could not be written is asked again by a later attempt.

    An object cannot be appended to, so the whole journal is written again, by one thread at a time: replies that come
    meanwhile travel with the next write.
    """

    def __init__(self, project: str, bucket: str, name: str, endpoint: str, started_at: str) -> None:
        self._kept = KeptText(project, bucket, name)
        earlier = self._kept.read("Earlier answers could not be read, so all items are asked")
        self._page = Page.read(earlier, endpoint, started_at)
        self.started_at = self._page.started_at
        self._lock, self._writing, self._written, self._lost = threading.Lock(), threading.Lock(), 0, False

    def reply(self, item: Item) -> Reply | None:
        return self._page.replies.get((item.id, item.digest))

    def add(self, item: Item, reply: Reply) -> None:
        with self._lock:
            self._page.put(item, reply)
            mine = len(self._page.lines)
        with self._writing:
            if self._written >= mine or self._lost:
                return  # Another thread's write contained this reply.
            with self._lock:
                text, self._written = self._page.text(), len(self._page.lines)
            self._lost = not self._kept.write(text, "Answers are not kept for a later attempt")


def _row(line: str) -> dict[str, object] | None:
    try:
        row = parsed(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _reply(told: object) -> Reply:
    """Raises TypeError and ValueError for fields of other names or types, as another version may have written them."""
    if not isinstance(told, Mapping):
        raise TypeError("not a reply")
    return _REPLY.validate_json(json.dumps(asdict(Reply(**told))), strict=True)
