"""Diagnoses of an endpoint's containers, of a run of the pipeline, and of a step that failed just now."""

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from vertex_vllm.diagnosis.never_ready import ready_after_all, ready_unasked
from vertex_vllm.diagnosis.ranking import Diagnosis
from vertex_vllm.diagnosis.refused_requests import refused_requests
from vertex_vllm.diagnosis.sources import diagnose_lines, most_telling
from vertex_vllm.errors import DeploymentError, InputError
from vertex_vllm.vertex_ai.container_logs import ContainerLog, read_container_logs
from vertex_vllm.vertex_ai.failed_deploy import FailedDeploy, failed_deploy
from vertex_vllm.vertex_ai.resource_names import ResourceName

_ENDPOINT = re.compile(r"projects/[\w:.-]{1,80}/locations/[a-z0-9-]{1,40}/endpoints/[\w-]{1,80}")
# Reads, because Cloud Logging shows a container's last lines some seconds after they were written.
_READS = 3
_BETWEEN_READS_SECONDS = 4.0
_AFTER_A_RUN = timedelta(minutes=10)

log = logging.getLogger(__name__)


def diagnose_endpoint(endpoint: str, since: datetime, until: datetime | None = None) -> Diagnosis:
    """The diagnosis of the replica whose log says most; of a ready server with no deployed model, the deploy's error
    is read, too.

    Raises InputError if the endpoint logged nothing in that time, and ServiceError if its log cannot be read.
    """
    name = str(ResourceName.parse(endpoint, "endpoints"))
    logs = read_container_logs(name, since, until=until)
    if not logs:
        raise InputError(
            f"its containers wrote nothing since {since:%Y-%m-%d %H:%M} UTC",
            where=name,
            fix="Look back further: --hours",
        )
    found = of_replicas(logs)
    if found.outcome == "serving" and not found.causes and (deploy := _failed_deploy(name)):
        return ready_after_all(found, deploy.refusal, deploy.begun, deploy.ended) or _best(
            found, [deploy.refusal.words]
        )
    return found


def _failed_deploy(endpoint: str) -> FailedDeploy | None:
    """None, and a warning, where it cannot be read: an account may read logs alone."""
    try:
        return failed_deploy(endpoint)
    except DeploymentError as refused:
        log.warning("How the endpoint's deploy ended is not known: %s", refused)
        return None


def diagnose_run(run: str) -> Diagnosis:
    """The diagnosis of a run's failed steps, by the log of the endpoint that they name, else by their errors.

    Raises InputError for a run in which no step failed.
    """
    from vertex_vllm.runs.vertex_engine import find_run, read_run

    job = find_run(run)
    details = read_run(job)
    errors = [step.error for step in details.steps if step.error]
    if not errors:
        raise InputError(f"no step of the run failed; it is {details.state}", where=run, fix="Name a run that failed")
    since = job.create_time or datetime.now(UTC) - timedelta(days=1)
    until = (job.end_time or datetime.now(UTC)) + _AFTER_A_RUN
    logs: list[ContainerLog] = []
    for named in dict.fromkeys(found[0] for error in errors for found in _ENDPOINT.finditer(error)):
        logs += read_container_logs(named, since, until=until)
    return _best(of_replicas(tuple(logs)) if logs else None, errors)


def of_replicas(logs: tuple[ContainerLog, ...]) -> Diagnosis:
    """The diagnosis of the replica whose log says most: one with a cause, then one that failed."""
    return most_telling(log.lines for log in logs)


def diagnose_failure(said: str, endpoint: str, since: datetime) -> Diagnosis:
    """The diagnosis of an endpoint that failed just now, by its containers' logs; else by the error `said`.

    Raises ServiceError where the log cannot be read.
    """
    logs = _logs(endpoint, since)
    return _best(of_replicas(logs) if logs else None, [said])


def _best(logged: Diagnosis | None, said: Sequence[str]) -> Diagnosis:
    """The causes in the containers' logs, else those in the errors' own words; the lines of the logs come first."""
    if logged and logged.causes:
        return logged
    if logged and (unasked := ready_unasked(logged, said)):
        return unasked
    if logged and (refused := refused_requests(logged, said)):
        return refused
    own = replace(diagnose_lines(said), outcome="failed")
    return replace(own, lines=logged.lines or own.lines, line_count=logged.line_count) if logged else own


def _logs(endpoint: str, since: datetime) -> tuple[ContainerLog, ...]:
    if not _ENDPOINT.fullmatch(endpoint):
        return ()
    for left in reversed(range(_READS)):
        if found := read_container_logs(endpoint, since):
            return found
        if left:
            time.sleep(_BETWEEN_READS_SECONDS)
    return ()
