"""Turns the rules that a log's lines matched into a diagnosis: causes in order, each with its lines."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from vertex_vllm.diagnosis.log_lines import LogLine
from vertex_vllm.diagnosis.rules import Change
from vertex_vllm.diagnosis.scan import Match, Scan, Start
from vertex_vllm.redaction import redact

Outcome = Literal["failed", "serving", "unfinished"]
"""serving: the server is ready; single requests may have failed. unfinished: the log ends before either."""

# Neighbouring groups belong to different wordings: only one of them has a value.
_VALUES = re.compile(r"(?:{\w+})+")
_MOST_CAUSES = 4
_MOST_EVIDENCE = 4
_MOST_LINES = 8


@dataclass(frozen=True)
class Cause:
    """A cause with the lines that name it."""

    rule: str
    """Name of the rule."""
    cause: str
    """One sentence, with the values from the log."""
    explanation: str = ""
    advice: str = ""
    changes: tuple[Change, ...] = ()
    """Changes of the config that would remove the cause, the best first."""
    evidence: tuple[LogLine, ...] = ()
    seen: tuple[str, ...] = ()
    """Sources that the rule rests on: releases of vLLM, reports, recorded logs."""
    sure: bool = True
    """False: it follows from a cause that the log may not hold."""


@dataclass(frozen=True)
class Diagnosis:
    """The findings in a log. Without `causes`, the cause is unknown, and `lines` are those most likely to matter."""

    outcome: Outcome
    causes: tuple[Cause, ...] = ()
    lines: tuple[LogLine, ...] = ()
    starts: int = 1
    """How often the server was started; more than once: it crashed and was started again."""
    vllm_version: str = ""
    """As the log says; empty: it does not."""
    line_count: int = 0
    marks: tuple[LogLine, ...] = field(default=(), repr=False)

    @property
    def summary(self) -> str:
        """One line: the first cause, or that it is unknown, with the line most likely to matter."""
        if self.causes:
            return self.causes[0].cause
        if self.outcome == "serving":
            return "The server is ready; its log names no cause of a failure"
        said = f": {self.lines[0].message.strip()}" if self.lines else ""
        if self.outcome == "unfinished":
            return "The log ends before the server is ready, and names no cause"
        return f"No known cause{said}"


def diagnose(scan: Scan) -> Diagnosis:
    """The causes of the latest start that failed, nearest to the root first."""
    start = _judged(scan.starts)
    serving = bool(start.ready) and not _ended(start)
    causes = _causes(_candidates(start, serving))
    found = Diagnosis("serving" if serving else "failed", causes, (), scan.start_count, _version(scan), scan.line_count)
    found = replace(found, marks=tuple(start.marks))
    if causes or serving:
        return found
    lines = _telling(start)
    if not lines and not any(match.rule.kind == "wrapper" for match in start.matches):
        found = replace(found, outcome="unfinished")
    return replace(found, lines=_redacted(lines or scan.tail[-_MOST_LINES:]))


def _judged(starts: Sequence[Start]) -> Start:
    """The last start with a result: a restart under way has none yet."""
    for start in reversed(starts):
        if start.ready or start.exceptions or any(match.rule.kind != "noise" for match in start.matches):
            return start
    return starts[-1]


def _ended(start: Start) -> bool:
    """The server was ready, and its engine ended afterwards."""
    return any(match.rule.kind == "wrapper" and match.line.number > start.ready for match in start.matches)


def _candidates(start: Start, serving: bool) -> list[Match]:
    after = [match for match in start.matches if match.line.number > start.ready]
    named = [match for match in after if match.rule.kind in ("cause", "symptom")]
    # A rule for one phase of the start says more of a line than one for all, unless it is a general one.
    placed = {match.line.number for match in named if match.rule.phase and not match.rule.general}
    named = [match for match in named if match.rule.phase or match.line.number not in placed]
    if serving:
        return [match for match in named if match.rule.when in ("request", "any") and match.rule.kind == "cause"]
    return named


def _order(match: Match) -> tuple[bool, bool, bool, int, bool]:
    rule = match.rule
    return (rule.kind == "symptom", rule.when == "request", rule.general, match.line.number, not rule.phase)


def _causes(matches: Iterable[Match]) -> tuple[Cause, ...]:
    grouped: dict[str, list[Match]] = {}
    for match in sorted(matches, key=_order):
        grouped.setdefault(match.rule.id, []).append(match)
    sure = any(found[0].rule.kind == "cause" for found in grouped.values())
    specific = any(not found[0].rule.general and found[0].rule.kind == "cause" for found in grouped.values())
    causes: dict[str, Cause] = {}
    for found in grouped.values():
        rule = found[0].rule
        if sure and rule.kind == "symptom":
            continue
        if specific and rule.general and _same_lines(found, grouped):
            continue
        cause = _cause(found)
        causes.setdefault(cause.cause, cause)
    return tuple(causes.values())[:_MOST_CAUSES]


def _same_lines(found: list[Match], grouped: dict[str, list[Match]]) -> bool:
    """Whether a general rule matched only lines of specific rules, or the next lines of the same message."""
    taken = {
        number
        for others in grouped.values()
        if not others[0].rule.general
        for match in others
        for number in range(match.line.number - 3, match.line.number + 4)
    }
    return all(match.line.number in taken for match in found)


def _cause(found: list[Match]) -> Cause:
    match = max(found[:8], key=lambda one: sum(map(bool, one.groups.values())))
    rule = match.rule
    return Cause(
        rule=rule.id,
        cause=_filled(rule.cause, match.groups),
        explanation=_sentences(rule.explanation, match.groups),
        advice=_sentences(rule.advice, match.groups),
        changes=tuple(
            Change(change.action, tuple(_filled(argument, match.groups) for argument in change.arguments))
            for change in rule.changes
        ),
        evidence=_redacted(_distinct(one.line for one in found)[:_MOST_EVIDENCE]),
        seen=rule.seen,
        sure=rule.kind == "cause",
    )


def _filled(text: str, groups: dict[str, str]) -> str:
    filled = re.sub(r"{(\w+)}", lambda name: redact(groups.get(name[1], "")), text)
    return re.sub(r" ?\(\)|[:,]? *$", "", filled)


def _sentences(text: str, groups: dict[str, str]) -> str:
    """The text without the sentences for which this wording of the line has no values."""
    sentences = re.split(r"(?<=\.) (?=[A-Z])", text)
    told = [each for each in sentences if all(_filled(values, groups) for values in _VALUES.findall(each))]
    return _filled(" ".join(told), groups)


def _distinct(lines: Iterable[LogLine]) -> list[LogLine]:
    kept: dict[tuple[str, str], LogLine] = {}
    for line in sorted(lines, key=lambda line: line.number):
        kept.setdefault((line.process, line.message), line)
    return list(kept.values())


def _telling(start: Start) -> list[LogLine]:
    """Of the lines that name an exception or an error, the first and the last few."""
    lines = [line for line in _distinct(start.exceptions) if line.number > start.ready or not start.ready]
    named: dict[str, LogLine] = {}
    for line in lines:
        named.setdefault(line.message.strip(), line)
    told = list(named.values())
    return told if len(told) <= _MOST_LINES else [*told[: _MOST_LINES // 2], *told[-_MOST_LINES // 2 :]]


def _redacted(lines: Iterable[LogLine]) -> tuple[LogLine, ...]:
    return tuple(replace(line, message=redact(line.message)) for line in lines)


def _version(scan: Scan) -> str:
    return next((start.version for start in reversed(scan.starts) if start.version), "")
