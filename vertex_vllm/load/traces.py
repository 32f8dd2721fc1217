"""Traces: recorded lengths and arrivals of requests, from a file or Cloud Storage."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from vertex_vllm.catalog.load_profiles import Lengths
from vertex_vllm.encoded_text import utf8_text
from vertex_vllm.errors import InputError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.storage_client import storage_client

_TRACE_FIX = (
    "A trace is JSON Lines with `input_length`, `output_length` and, for arrivals, `timestamp` in milliseconds, "
    "or CSV with the columns TIMESTAMP, ContextTokens and GeneratedTokens."
)
_MOST_BYTES = 64 << 20
_WHERE = "evaluation.load.trace"


@dataclass(frozen=True)
class Trace:
    """Recorded requests."""

    name: str
    lengths: tuple[Lengths, ...]
    seconds: tuple[float, ...]
    """Arrival of each after the first, ascending; empty where the trace has no times."""

    @property
    def longest(self) -> Lengths:
        return max(self.lengths, key=lambda each: each.prompt + each.answer)

    def draw(self, count: int, seed: int) -> tuple[Lengths, ...]:
        """The recorded lengths in their order, again from the start where `count` is larger; `seed` changes nothing."""
        return tuple(self.lengths[number % len(self.lengths)] for number in range(count))


def open_trace(address: str) -> Trace:
    """`address`: a path or gs://BUCKET/OBJECT.

    Raises InputError for what is not a trace or larger than 64 MiB, ServiceError in Cloud Storage's own words.
    """
    if not address.startswith("gs://"):
        return read_trace(Path(address))
    return parse_trace(_download(address), address.rpartition("/")[2], address)


def _download(address: str) -> str:
    bucket, _, name = address.removeprefix("gs://").partition("/")
    if not name:
        raise InputError(f"`{address}` names no object", where=_WHERE, fix="Write gs://BUCKET/OBJECT.")
    with google_errors("Cloud Storage", address):
        # Reading an object needs no project.
        blob = storage_client("").bucket(bucket).get_blob(name)
        if blob is None:
            raise InputError(f"{address} does not exist", where=_WHERE, fix="Upload the trace, or name a profile.")
        if (blob.size or 0) > _MOST_BYTES:
            raise InputError(f"{address} is larger than {_MOST_BYTES >> 20} MiB", where=_WHERE, fix="Cut the trace.")
        data: bytes = blob.download_as_bytes()
    try:
        return utf8_text(data)
    except ValueError as error:
        raise InputError(f"The trace {error}", where=address) from error


def read_trace(path: Path) -> Trace:
    """A trace file of Mooncake's form (JSON Lines) or of AzureLLMInferenceDataset2023 (CSV).

    Raises InputError that names the file and the line.
    """
    try:
        text = utf8_text(path.read_bytes())
    except ValueError as error:
        raise InputError(f"The trace {error}", where=str(path)) from error
    except OSError as error:
        raise InputError(f"The trace cannot be read: {error}", where=str(path), fix=_TRACE_FIX) from error
    return parse_trace(text, path.name, str(path))


def parse_trace(text: str, name: str, where: str) -> Trace:
    """As `read_trace`, of a text."""
    rows = list(_json_rows(text, where) if text.lstrip().startswith("{") else _csv_rows(text, where))
    if not rows:
        raise InputError("The trace holds no request", where=where, fix=_TRACE_FIX)
    times = [seconds for _, seconds in rows if seconds is not None]
    if times and (len(times) != len(rows) or times != sorted(times)):
        raise InputError("The trace's times must be on every row, and ascend", where=where, fix=_TRACE_FIX)
    return Trace(name, tuple(lengths for lengths, _ in rows), tuple(time - times[0] for time in times))


def _json_rows(text: str, where: str) -> Iterator[tuple[Lengths, float | None]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row: dict[str, Any] = json.loads(line)
            seconds = row.get("timestamp")
            lengths = _lengths(row["input_length"], row["output_length"])
            yield lengths, None if seconds is None else float(seconds) / 1000
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _bad_row(where, number, error) from error


def _csv_rows(text: str, where: str) -> Iterator[tuple[Lengths, float | None]]:
    for number, row in enumerate(csv.DictReader(text.splitlines()), 2):
        try:
            # Azure writes seven digits of a second; Python reads six.
            moment = datetime.fromisoformat(row["TIMESTAMP"][:26])
            yield _lengths(row["ContextTokens"], row["GeneratedTokens"]), moment.timestamp()
        except (ValueError, KeyError, TypeError) as error:
            raise _bad_row(where, number, error) from error


def _lengths(prompt: Any, answer: Any) -> Lengths:
    lengths = Lengths(int(prompt), int(answer))
    if lengths.prompt < 1 or lengths.answer < 1:
        raise ValueError("a length below 1 token")
    return lengths


def _bad_row(where: str, number: int, error: Exception) -> InputError:
    said = f"no {error}" if isinstance(error, KeyError) else str(error)
    return InputError(f"not a row of a trace: {said}", where=f"{where}:{number}", fix=_TRACE_FIX)
