"""Profiles of load: named distributions of prompt and answer lengths, and traces of real requests."""

import csv
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from vertex_vllm.errors import InputError
from vertex_vllm.load.lengths import Distribution, parse_distribution

DEFAULT_PROFILE = "short"
_TRACE_FIX = (
    "A trace is JSON Lines with `input_length`, `output_length` and, for arrivals, `timestamp` in milliseconds, "
    "or CSV with the columns TIMESTAMP, ContextTokens and GeneratedTokens."
)


@dataclass(frozen=True)
class Lengths:
    """Tokens of one request."""

    prompt: int
    answer: int


@dataclass(frozen=True)
class Profile:
    """Distributions of the two lengths, drawn independently of each other."""

    name: str
    prompt: Distribution
    answer: Distribution

    @property
    def longest(self) -> Lengths:
        return Lengths(self.prompt.longest, self.answer.longest)

    def draw(self, count: int, seed: int) -> tuple[Lengths, ...]:
        source = random.Random(f"lengths {seed}")
        return tuple(Lengths(self.prompt.draw(source), self.answer.draw(source)) for _ in range(count))


@dataclass(frozen=True)
class Trace:
    """Requests that somebody recorded."""

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


def profile_names() -> tuple[str, ...]:
    return tuple(_table())


def named_profile(name: str, prompt_tokens: str = "", answer_tokens: str = "", where: str = "") -> Profile:
    """The profile of that name; a distribution that is given replaces the profile's.

    Raises InputError for an unknown name and for a text that is not a distribution.
    """
    rows = _table()
    if name not in rows:
        raise InputError(f"`{name}` is not a load profile", where=where, fix=f"Choose {', '.join(rows)}, or a trace.")
    row = rows[name]
    return Profile(
        name,
        parse_distribution(prompt_tokens or row["prompt_tokens"], where),
        parse_distribution(answer_tokens or row["answer_tokens"], where),
    )


@cache
def _table() -> dict[str, dict[str, str]]:
    text = resources.files("vertex_vllm.load").joinpath("profiles.yaml").read_text(encoding="utf-8")
    return {row["name"]: row for row in yaml.safe_load(text)["profiles"]}


def read_trace(path: Path) -> Trace:
    """A trace file of Mooncake's form (JSON Lines) or of AzureLLMInferenceDataset2023 (CSV).

    Raises InputError that names the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
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
    for number, line in enumerate(text.splitlines(), 1):
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
