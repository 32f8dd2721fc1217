"""Exports of Cloud Logging and logs that begin with their newest line, put in the order of time.

`gcloud logging read` and the Logs Explorer give the newest entry first, and the entries of all replicas in turn: as a
JSON list, as JSON by the line, as YAML documents, or as text with a time in front.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from vertex_vllm.diagnosis.log_lines import read_line
from vertex_vllm.foreign_yaml import texts_of_documents

HEAD_BYTES = 1 << 18
MOST_BYTES = 16 << 20
"""A larger log is read in its own order, so that memory stays bounded."""
_MOST_YAML_BYTES = 4 << 20
"""Reading YAML takes about a second for each megabyte."""
_MOST_TIMES, _FEWEST_OLDER = 400, 3
_FORMS = ("textPayload", "jsonPayload")


def may_be_out_of_order(head: bytes) -> bool:
    """Whether a log that begins so must be read as a whole before it is diagnosed."""
    return any(form.encode() in head for form in _FORMS) or _newest_first(head)


def in_order(data: bytes) -> tuple[list[str], ...]:
    """The lines of each replica, the oldest first; one log of all lines where the entries name no replica."""
    if entries := list(_entries(data)):
        return _by_replica(entries)
    lines = data.decode("utf-8", "replace").split("\n")
    return (lines[::-1] if _newest_first(data[:HEAD_BYTES]) else lines,)


def _newest_first(head: bytes) -> bool:
    """Whether most lines with a time are older than the one before; processes of one log differ by a line or two."""
    lines = head.split(b"\n")[:-1]
    times = [time for line in lines[: 10 * _MOST_TIMES] if (time := read_line(line, 0).time)][:_MOST_TIMES]
    older = sum(later < earlier for earlier, later in pairwise(times))
    newer = sum(later > earlier for earlier, later in pairwise(times))
    return older >= _FEWEST_OLDER and older > 4 * newer


def _entries(data: bytes) -> Iterator[dict[str, Any]]:
    """The entries as mappings; nothing where the log is not an export, or one that is cut off."""
    try:
        listed = json.loads(data)
    except (ValueError, RecursionError):
        listed = _by_the_line(data) or _documents(data)
    for entry in listed if isinstance(listed, list) else [listed]:
        if isinstance(entry, dict) and _string(entry.get("timestamp")) and any(form in entry for form in _FORMS):
            yield entry


def _by_the_line(data: bytes) -> list[Any]:
    try:
        return [json.loads(line) for line in data.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return []


def _documents(data: bytes) -> list[Any]:
    if len(data) > _MOST_YAML_BYTES:
        return []
    try:
        return texts_of_documents(data)
    except ValueError:
        return []


def _by_replica(entries: list[dict[str, Any]]) -> tuple[list[str], ...]:
    if _moment(entries[0]) > _moment(entries[-1]):
        entries = entries[::-1]  # Entries of one moment stay in the order in which they were written.
    lines: dict[tuple[str, ...], list[str]] = {}
    for entry in sorted(entries, key=_moment):
        text = _text(entry).rstrip("\r\n")
        lines.setdefault(_replica(entry), []).extend(f"{entry['timestamp']} {line}" for line in text.splitlines())
    return tuple(lines.values())


def _moment(entry: dict[str, Any]) -> str:
    """Comparable: a fraction of a second has up to nine digits, or none."""
    return _string(entry["timestamp"]).removesuffix("Z")


def _replica(entry: dict[str, Any]) -> tuple[str, ...]:
    labels, resource = _mapping(entry.get("labels")), _mapping(_mapping(entry.get("resource")).get("labels"))
    names = (resource.get("endpoint_id"), labels.get("deployed_model_id"), labels.get("replica_id"))
    return tuple(map(_string, names))


def _text(entry: dict[str, Any]) -> str:
    payload = _mapping(entry.get("jsonPayload"))
    said = (entry.get("textPayload"), payload.get("message"), payload.get("textPayload"))
    return next((text for text in map(_string, said) if text), "")


def _string(value: object) -> str:
    """Text as it is, else nothing: a list of YAML's aliases, written out, may be larger than any memory."""
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
