"""Adds the diagnosis of a failed container to the step's error, its log, and two artifacts."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from vertex_vllm.diagnosis.deployed import diagnose_failure
from vertex_vllm.diagnosis.diagnosis_report import json_of, page_of, text_of
from vertex_vllm.diagnosis.phases import Phase, phases_of, slowest
from vertex_vllm.diagnosis.ranking import Diagnosis
from vertex_vllm.diagnosis.sources import diagnose_lines
from vertex_vllm.errors import DeploymentError, InferenceError, ServiceError, StockoutError, VertexVllmError

log = logging.getLogger(__name__)


@contextmanager
def diagnosed(
    artifact: str, page: str, run: str = "", endpoint: str = "", start_seconds: Mapping[str, float] | None = None
) -> Iterator[None]:
    """Raises an error that the container caused again with its diagnosis, and writes the diagnosis to both files.

    `endpoint` is the Endpoint's resource name; empty: the one that the error names. `start_seconds` is the plan's, to
    compare the phases of the start with. A stockout's and a cancelled run's errors stay: no container is at fault.
    """
    since = datetime.now(UTC)
    for file in (artifact, page):
        Path(file).write_text("", encoding="utf-8")
    try:
        yield
    except StockoutError:
        raise
    except (DeploymentError, InferenceError) as error:
        if isinstance(error, DeploymentError) and error.stopped_by:
            raise
        found = _diagnosis(error, endpoint or error.where, since)
        phases = phases_of(found.marks, start_seconds)
        Path(artifact).write_text(json_of(found, phases=phases), encoding="utf-8")
        Path(page).write_text(page_of(found, "Why the step failed", phases=phases), encoding="utf-8")
        log.error("Diagnosis:\n%s", text_of(found, phases=phases))
        raise _with_cause(error, found, slowest(phases), run) from error


def _diagnosis(error: VertexVllmError, endpoint: str, since: datetime) -> Diagnosis:
    try:
        return diagnose_failure(error.message, endpoint, since)
    except ServiceError as refused:
        log.warning("The container's log cannot be read: %s", refused)
        return replace(diagnose_lines([error.message]), outcome="failed")


def _with_cause(error: VertexVllmError, found: Diagnosis, slow: Phase | None, run: str) -> VertexVllmError:
    if not found.causes and slow:
        said = f"The start was slow: {slow.name} took {slow.seconds:.0f} s, {slow.expected:.0f} s were expected"
        return error.reworded(f"{said} ({error.message})")
    if not found.causes and not found.lines:
        return error
    advice = found.causes[0].advice if found.causes else ""
    command = f"`vertex-vllm diagnose {run or 'RUN'} --config CONFIG` proposes a change of the config."
    fix = " ".join(part for part in (advice, command if found.causes else error.fix) if part)
    return error.reworded(f"{found.summary} ({error.message})", fix=fix)
