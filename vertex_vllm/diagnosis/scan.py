"""One pass over a log of any size: what its rules match, start by start, in bounded memory and linear time.

A single automaton (RE2) skips the lines that hold nothing of interest. A literal that has matched very often is no
longer searched for, except at the very end of the log, so that a log of nothing but errors takes no longer.
"""

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import IO, Any

import re2

from vertex_vllm.diagnosis.entries import without_json
from vertex_vllm.diagnosis.log_lines import LONGEST_LINE, LogLine, read_line
from vertex_vllm.diagnosis.rules import ABOVE, Rule
from vertex_vllm.diagnosis.traceback_phases import FRAMES

_CHUNK_BYTES = 1 << 20
_TAIL_BYTES = 1 << 18
_MOST_OF_A_LITERAL = 200
_MOST_OF_A_WORD = 2000
_MOST_KEPT = 40
"""Matches of one rule, and exceptions of one start, of the first and of the last each."""
_STARTS_KEPT = 3
_LAST_LINES = 40
# A mark begins a line, after at most the container's own timestamp: a mark that a prompt quotes does not count.
_LONGEST_MARK, _LONGEST_PREFIX = 500, 60

# A start of vLLM's server logs several of these within its first lines.
_START = ("vLLM API server version", "non-default args:", "args: Namespace(", "usage: api_server.py", "usage: vllm")
_LINES_OF_A_START = 12
_READY = ("Application startup complete", "serving on port ")
_VERSION = re.compile(
    r"(?:API server version|LLM engine \(v?|  version) ?v?(?P<version>\d{1,3}\.\d{1,4}\.\d{1,4}[\w.+]{0,40})"
)
_COLOURS = re.compile(rb"\x1b\[[\d;]{0,16}m")
# Literals of lines that may name a cause although no rule matches them.
_WORDS = (
    "Error",
    "Exception",
    "rror: ",
    "ERROR ",
    "CRITICAL",
    "FATAL",
    "fatal",
    "panic",
    "Killed",
    "Exception in thread",
    "core dumped",
    "Segmentation fault",
)
EXCEPTION = re.compile(
    r"(?:[A-Za-z_][\w.]{0,120})?(?:Error|Exception|Interrupt|Exit|Timeout|Failure|Warning)\b(?::|$| in thread)"
)
_SETTING = re.compile(r"[a-z][\w.]{1,80}")
_TRACEBACK = re.compile(r"\s|Traceback |Process ")


@dataclass(frozen=True)
class Match:
    """A rule that a line matched."""

    rule: Rule
    line: LogLine
    groups: dict[str, str]
    """Values that the rule's pattern took out of the line, by group."""


@dataclass
class Start:
    """The lines from one start of the server to the next, as far as they are of interest."""

    first_line: int
    ready: int = 0
    """Number of the line that says that the server is ready; 0: none did."""
    version: str = ""
    matches: list[Match] = field(default_factory=list)
    exceptions: list[LogLine] = field(default_factory=list)
    """Lines that name an exception, or that a logger wrote as an error, and that no rule matched."""
    marks: list[LogLine] = field(default_factory=list)
    """Lines that say when a phase of the start ended."""


@dataclass(frozen=True)
class Scan:
    starts: tuple[Start, ...]
    """The last few, the latest last; never empty."""
    start_count: int
    line_count: int
    tail: tuple[LogLine, ...]
    """The last lines that are not empty."""


class Scanner:
    """`feed` it bytes, then `finish`."""

    def __init__(self, rules: Sequence[Rule], marks: Sequence[str] = ()) -> None:
        self._rules = rules
        self._marks = tuple(marks)
        self._by_literal: dict[str, list[Rule]] = {}
        for rule in rules:
            for literal in rule.literals:
                self._by_literal.setdefault(literal, []).append(rule)
        self._literals = tuple(self._by_literal)
        self._which = _set(self._literals)
        self._limits = dict.fromkeys((*self._by_literal, *_START, *_READY, *FRAMES), _MOST_OF_A_LITERAL)
        # A mark may come every ten seconds, and the last of them tell most: the log's end holds fewer than the limit.
        self._limits |= {word: _MOST_OF_A_WORD for word in (*_WORDS, *marks) if word not in self._limits}
        self._counts: Counter[str] = Counter()
        self._search = _automaton(tuple(self._limits))
        self._rest, self._lines, self._seen = b"", 0, 0
        self._full_at = 0
        self._tail: deque[tuple[int, bytes]] = deque()
        self._tail_bytes = 0
        self._starts: deque[Start] = deque([Start(1)], maxlen=_STARTS_KEPT)
        self._start_count = 0
        self._last_mark = -_LINES_OF_A_START
        self._phase: dict[str, str] = {}

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes; lines may be cut anywhere."""
        for begin in range(0, len(chunk), _CHUNK_BYTES):
            self._feed(chunk[begin : begin + _CHUNK_BYTES])

    def finish(self) -> Scan:
        """Matches every rule against the last lines again, and returns the result."""
        if self._rest:
            self._whole_lines(self._rest + b"\n")
            self._rest = b""
        if self._full_at:
            self._counts.clear()
            self._search, self._seen = _automaton(tuple(self._limits)), self._full_at
            for first, data in list(self._tail):
                self._scan(data, first)
        return Scan(tuple(self._starts), max(self._start_count, 1), self._lines, self._last_lines())

    def _last_lines(self) -> tuple[LogLine, ...]:
        lines: list[LogLine] = []
        for first, data in self._tail:
            raw = data.split(b"\n")[:-1]
            offset = max(len(raw) - _LAST_LINES, 0)
            lines += [read_line(line, first + offset + index) for index, line in enumerate(raw[offset:])]
        return tuple(line for line in lines if line.message.strip())[-_LAST_LINES:]

    def _feed(self, chunk: bytes) -> None:
        data = self._rest + chunk
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        if end:
            self._whole_lines(data[:end])
        if len(self._rest) > _CHUNK_BYTES:  # A longer line is cut, and its rest dropped.
            self._rest = self._rest[:LONGEST_LINE]

    def _whole_lines(self, data: bytes) -> None:
        data = without_json(_COLOURS.sub(b"", data) if b"\x1b[" in data else data)
        first = self._lines + 1
        self._scan(data, first)
        self._lines += data.count(b"\n")
        kept = data[-_TAIL_BYTES:]
        cut = len(data) - len(kept)
        self._tail.append((first + data.count(b"\n", 0, cut), kept))
        self._tail_bytes += len(kept)
        while self._tail_bytes - len(self._tail[0][1]) >= _TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft()[1])

    def _scan(self, data: bytes, first: int) -> None:
        """Finds the lines of interest among whole lines, of which the first has the number `first`."""
        searched = data.replace(b"\r", b"\n")  # A progress bar's lines; the numbers count line breaks alone.
        position, number, counted = 0, first, 0
        while found := self._search.search(searched, position):
            at = found.start()
            begin = searched.rfind(b"\n", 0, at) + 1
            end = searched.find(b"\n", at)
            end = len(searched) if end < 0 else end
            number += data.count(b"\n", counted, begin)
            counted = begin
            if at - begin < LONGEST_LINE and number > self._seen:
                line = read_line(searched[begin : min(end, begin + LONGEST_LINE)], number)
                self._read(line, _setting_above(line, searched, begin))
                self._count(found.group().decode("utf-8", "replace"), number)
            position = end + 1
            if position >= len(searched):
                break
        self._seen = max(self._seen, number if data else 0)

    def _count(self, word: str, number: int) -> None:
        """A word that was found often enough is no longer searched for."""
        self._counts[word] += 1
        if self._counts[word] == self._limits.get(word):
            self._full_at = self._full_at or number
            self._search = _automaton(tuple(word for word, limit in self._limits.items() if self._counts[word] < limit))

    def _read(self, line: LogLine, setting: str) -> None:
        message = line.message[:_LONGEST_MARK]
        if message.startswith(_START) and line.number - self._last_mark > _LINES_OF_A_START:
            if self._start_count or self._starts[-1].matches or self._starts[-1].exceptions:
                self._starts.append(Start(line.number))
            self._start_count += 1
            self._last_mark = line.number
            self._phase.clear()
        start = next((start for start in reversed(self._starts) if start.first_line <= line.number), self._starts[0])
        if any(ready in message[:_LONGEST_PREFIX] for ready in _READY) and line.level in ("", "INFO"):
            start.ready = line.number
        if not start.version and (version := _VERSION.search(message)):
            start.version = version["version"]
        for frame, phase in FRAMES.items():
            if frame in message:
                self._phase[line.process] = phase
        if any(mark in message for mark in self._marks) and line.level in ("", "INFO"):
            _keep(start.marks, line)
        self._match(start, line, setting)

    def _match(self, start: Start, line: LogLine, setting: str) -> None:
        phase = self._phase.get(line.process, "")
        known = False
        for index in self._which.Match(line.message) or ():
            for rule in self._by_literal[self._literals[index]]:
                if line.level not in rule.levels or rule.phase not in ("", phase):
                    continue
                groups = rule.matches(line.message)
                if groups is not None:
                    known = True
                    self._keep_match(start, Match(rule, line, {**groups, ABOVE: setting}))
        if not known and _tells(line) and all(line.number != kept.number for kept in start.exceptions[-3:]):
            _keep(start.exceptions, line)

    def _keep_match(self, start: Start, match: Match) -> None:
        number = match.line.number
        if all(kept.line.number != number or kept.rule is not match.rule for kept in start.matches):
            _keep(start.matches, match)


def _setting_above(line: LogLine, data: bytes, begin: int) -> str:
    """The setting that the line before a refusal of pydantic's names; empty for every other line."""
    if not line.message.startswith("  ") or "[type=" not in line.message or begin < 2:
        return ""
    above = data[max(data.rfind(b"\n", 0, begin - 1) + 1, begin - LONGEST_LINE) : begin - 1]
    message = read_line(above, line.number - 1).message
    return message if _SETTING.fullmatch(message) else ""


def _tells(line: LogLine) -> bool:
    """An exception's own line, or one that a logger wrote as an error; not those of a traceback below it."""
    message = line.message
    if line.level in ("DEBUG", "INFO", "WARNING"):
        return False
    if EXCEPTION.match(message):
        return True
    return line.level in ("ERROR", "CRITICAL") and bool(message.strip()) and not _TRACEBACK.match(message)


def scan_file(stream: IO[bytes], scanner: Scanner) -> Scan:
    """Reads a stream to its end."""
    while chunk := stream.read(_CHUNK_BYTES):
        scanner.feed(chunk)
    return scanner.finish()


def _keep(kept: list[Any], new: object) -> None:
    """Appends, with the first and the last `_MOST_KEPT` kept."""
    if len(kept) >= 8 * _MOST_KEPT:
        del kept[4 * _MOST_KEPT]
    kept.append(new)


@lru_cache(4)
def _automaton(literals: tuple[str, ...]) -> Any:
    words = sorted({re2.escape(literal) for literal in literals}) or ["\\z\\A."]
    options = re2.Options()
    options.max_mem = 64 << 20
    return re2.compile("|".join(words).encode(), options)


@lru_cache(4)
def _set(literals: tuple[str, ...]) -> Any:
    """An RE2 set: finds in one pass which of the literals a text holds, however many there are."""
    found = re2.Set.SearchSet()
    for literal in literals:
        found.Add(re2.escape(literal))
    found.Compile()
    return found
