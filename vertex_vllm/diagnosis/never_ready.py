"""Finds a server that is ready and that Vertex AI does not reach, or that was ready too late for its deploy."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from vertex_vllm.diagnosis.log_lines import LogLine
from vertex_vllm.diagnosis.phases import phases_of
from vertex_vllm.diagnosis.ranking import Cause, Diagnosis
from vertex_vllm.diagnosis.refused_requests import LOAD_MARKS
from vertex_vllm.diagnosis.rules import Change
from vertex_vllm.error_data import Refusal
from vertex_vllm.planning.arguments import PORT

ADDRESS_MARKS = ("server on http", "server 0 on http", "running on http")
"""Literals of the lines in which a server names its address."""

# vllm 0.8.5 entrypoints/openai/api_server.py:1090; vllm 0.32.0 entrypoints/launchers/launcher.py. Uvicorn says it, too.
_ADDRESS = re.compile(r"(?:server(?: 0)?|running) on https?://[^\s/]{1,100}:(?P<port>\d{1,5})")
_SEEN = ("vllm 0.8.5 entrypoints/openai/api_server.py, its first line once it is ready",)
# A server that became ready so shortly before the operation ended was not asked often enough to count as healthy.
_LAST_PROBES = timedelta(minutes=1)
# Messages of Vertex AI, and this project's own, for a deploy that took too long.
_NEVER_READY = ("never became ready", "Not deployed within", "Deployment timed out", "DEADLINE_EXCEEDED")


def ready_unasked(logged: Diagnosis, said: Sequence[str]) -> Diagnosis | None:
    """Why a container with a ready server did not count as healthy; None if log or error show another cause.

    `logged` is the diagnosis of the container's log, `said` the texts of the deploy's error.
    """
    if logged.outcome != "serving" or not any(words in text for text in said for words in _NEVER_READY):
        return None
    return replace(logged, outcome="failed", causes=(_unasked(logged),))


def ready_after_all(logged: Diagnosis, refusal: Refusal, begun: datetime, ended: datetime) -> Diagnosis | None:
    """Why a deploy took too long although its server is ready: ready too late, or under another port or route than
    Vertex AI asks for. None if the deploy failed otherwise, or the log is of an earlier deploy.

    `refusal` is the error of the deploy's operation, `begun` and `ended` its times.
    """
    said = refusal.words
    # This project cancels a deploy that takes longer than serving.deployment_timeout_seconds.
    if refusal.code not in ("CANCELLED", "DEADLINE_EXCEEDED") and not any(words in said for words in _NEVER_READY):
        return None
    ready = max((moment for line in _of_the_start(logged) if (moment := _moment(line))), default=None)
    if ready and ready < begun:
        return None
    cause = _too_late(logged) if ready and ready > ended - _LAST_PROBES else _unasked(logged)
    told = f"The deploy ended at {ended:%Y-%m-%d %H:%M:%S} UTC: {said.rstrip('.')}. {cause.explanation}"
    return replace(logged, outcome="failed", causes=(replace(cause, explanation=told),))


def _of_the_start(logged: Diagnosis) -> list[LogLine]:
    """The marks without the load that a ready server logs as long as it runs."""
    return [line for line in logged.marks if not any(mark in line.message for mark in LOAD_MARKS)]


def _moment(line: LogLine) -> datetime | None:
    """The time of an entry of Cloud Logging; None for a time without a year."""
    try:
        found = datetime.fromisoformat(line.time)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _too_late(logged: Diagnosis) -> Cause:
    parts = [phase for phase in phases_of(logged.marks) if phase.name not in ("in all", "engine")]
    longest = max(parts, key=lambda phase: phase.seconds, default=None)
    took = f"The longest phase of its start was {longest.name}, {longest.seconds:.0f} s." if longest else ""
    return Cause(
        rule="ready_too_late",
        cause="The server became ready when its deploy had ended, or was about to",
        explanation=took,
        advice="Give the start more time, or shorten its longest phase: a smaller model copies and loads faster, and "
        "--enforce-eager compiles and captures nothing.",
        changes=(Change("set", ("serving.deployment_timeout_seconds", "7200")),),
        evidence=tuple(_of_the_start(logged)[-1:]),
        seen=_SEEN,
    )


def _unasked(logged: Diagnosis) -> Cause:
    lines = [line for line in logged.marks if _ADDRESS.search(line.message)]
    ports = [match["port"] for line in lines if (match := _ADDRESS.search(line.message))]
    if ports and int(ports[-1]) != PORT:
        return Cause(
            rule="port_mismatch",
            cause=f"vLLM is ready on port {ports[-1]}, and Vertex AI asks on port {PORT}",
            explanation="The Model names the port that the container must listen on.",
            advice=f"Leave --port out: this project's plans let vLLM listen on {PORT}.",
            changes=(Change("remove_argument", ("--port",)),),
            evidence=tuple(lines[-1:]),
            seen=_SEEN,
        )
    return Cause(
        rule="health_route_unanswered",
        cause="vLLM is ready, and the container does not answer its health route",
        explanation="The server lacks the route that the Model names, or asks for a key on it.",
        advice="Let the Model name the health route of its image: /ping of Model Garden's, /health of upstream's.",
        changes=(Change("unset", ("serving.image",)), Change("remove_argument", ("--api-key",))),
        evidence=tuple(lines[-1:]),
        seen=_SEEN,
    )
