"""A diagnosis for people and for programs: text, JSON, a page. Lines of a log are untrusted; all of it is escaped."""

import json
from collections.abc import Iterator
from typing import Any

from vertex_vllm.diagnosis.log_lines import LogLine
from vertex_vllm.diagnosis.patch import Patch
from vertex_vllm.diagnosis.phases import Phase
from vertex_vllm.diagnosis.ranking import Diagnosis
from vertex_vllm.pages import page_environment

_SHOWN = 400


def text_of(diagnosis: Diagnosis, patch: Patch | None = None, phases: tuple[Phase, ...] = (), config: str = "") -> str:
    """The text that `vertex-vllm diagnose` prints."""
    return "\n".join(_text(diagnosis, patch, phases, config)) + "\n"


def _text(diagnosis: Diagnosis, patch: Patch | None, phases: tuple[Phase, ...], config: str) -> Iterator[str]:
    yield diagnosis.summary if not diagnosis.causes else _head(diagnosis)
    for number, cause in enumerate(diagnosis.causes, 1):
        yield ""
        yield f"{number}. {cause.cause}{'' if cause.sure else ' (likely: it may follow from another failure)'}"
        for said in (cause.explanation, cause.advice and f"To do: {cause.advice}"):
            if said:
                yield f"   {said}"
        yield from _lines(cause.evidence)
    if not diagnosis.causes and diagnosis.lines:
        yield "The lines most likely to matter:"
        yield from _lines(diagnosis.lines)
    if phases:
        yield ""
        yield "Phases of the start:"
        yield from (
            f"   {phase.name:<10} {phase.seconds:>7.1f} s{f'  {phase.note}' if phase.note else ''}" for phase in phases
        )
    if patch:
        yield ""
        yield f"Change of {config}; planned again, the model {_holds(patch)}:"
        yield patch.diff.rstrip("\n")
        yield from _price(patch)
    elif config and diagnosis.causes:
        yield ""
        yield f"No change of {config} is offered: with none that could help does the model fit."


def _head(diagnosis: Diagnosis) -> str:
    version = f", vLLM {diagnosis.vllm_version}" if diagnosis.vllm_version else ""
    starts = f", started {diagnosis.starts} times" if diagnosis.starts > 1 else ""
    return f"{diagnosis.outcome}: {diagnosis.line_count} lines{version}{starts}"


def _lines(lines: tuple[LogLine, ...]) -> Iterator[str]:
    for line in lines:
        signed = ", ".join(part for part in (f"line {line.number}", line.time, line.process) if part)
        yield f"   {signed}: {_cut(line.message.strip())}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"


def _price(patch: Patch) -> Iterator[str]:
    before, after = patch.usd_per_hour
    if after is not None and after != before:
        known = "" if before is None else f", {before:.2f} before"
        yield f"A replica costs {after:.2f} US dollars an hour{known}."


def _holds(patch: Patch) -> str:
    return "fits" if not patch.uncertain else f"may fit, which is not certain ({patch.uncertain})"


def fields_of_report(
    diagnosis: Diagnosis, patch: Patch | None = None, phases: tuple[Phase, ...] = ()
) -> dict[str, Any]:
    """The diagnosis as plain values."""
    return {
        "outcome": diagnosis.outcome,
        "summary": diagnosis.summary,
        "vllm_version": diagnosis.vllm_version,
        "starts": diagnosis.starts,
        "lines_read": diagnosis.line_count,
        "causes": [
            {
                "rule": cause.rule,
                "cause": cause.cause,
                "sure": cause.sure,
                "explanation": cause.explanation,
                "advice": cause.advice,
                "changes": [{change.action: list(change.arguments)} for change in cause.changes],
                "evidence": [_line(line) for line in cause.evidence],
                "seen": list(cause.seen),
            }
            for cause in diagnosis.causes
        ],
        "lines": [_line(line) for line in diagnosis.lines],
        "phases": [{**vars(phase), "note": phase.note} for phase in phases],
        "patch": {"fields": patch.fields, "diff": patch.diff, "verdict": patch.verdict, "uncertain": patch.uncertain}
        if patch
        else None,
    }


def _line(line: LogLine) -> dict[str, Any]:
    return {**vars(line), "message": _cut(line.message)}


def json_of(diagnosis: Diagnosis, patch: Patch | None = None, phases: tuple[Phase, ...] = ()) -> str:
    """`fields_of_report` as a document."""
    return json.dumps(fields_of_report(diagnosis, patch, phases), indent=2) + "\n"


def page_of(diagnosis: Diagnosis, title: str, patch: Patch | None = None, phases: tuple[Phase, ...] = ()) -> str:
    """A page of HTML without scripts or outside references."""
    template = page_environment("vertex_vllm.diagnosis").get_template("diagnosis.html")
    return template.render(report=fields_of_report(diagnosis, patch, phases), title=title)
