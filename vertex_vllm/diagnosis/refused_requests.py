"""Requests that were refused or took too long, told apart by the log of the replica that should have answered."""

import re
from collections.abc import Sequence
from dataclasses import replace

from vertex_vllm.diagnosis.ranking import Cause, Diagnosis

LOAD_MARKS = ("reqs, Waiting: ",)
"""Literals of the line in which vLLM tells its load, every 10 seconds."""

# vllm 0.8.5 v1/metrics/loggers.py; vllm 0.32.0 v1/metrics/loggers.py:286.
_LOAD = re.compile(r"Running: (?P<running>\d{1,9}) reqs, Waiting: (?P<waiting>\d{1,9}) reqs")
_SEEN = ("vllm 0.32.0 v1/metrics/loggers.py:286, read 2026-12-01",)
_TOO_SLOW = re.compile(r"(?i:took too long)|No answer within|\bHTTP (?:504|408)\b")
_REFUSED = re.compile(r"\b(?:HTTP|ServiceUnavailable:|Error code:) (?:503|429)\b")


def refused_requests(logged: Diagnosis, said: Sequence[str]) -> Diagnosis | None:
    """Why the requests failed; None if `said` is about something else, or the log does not tell.

    `logged` is the diagnosis of the replica's log, `said` the errors of the requests.
    """
    slow = any(_TOO_SLOW.search(text) for text in said)
    if not slow and not any(_REFUSED.search(text) for text in said):
        return None
    cause = _starting(logged) if not slow else None
    cause = cause or _overloaded(logged)
    return replace(logged, causes=(cause,)) if cause else None


def _starting(logged: Diagnosis) -> Cause | None:
    if logged.outcome == "unfinished":
        return Cause(
            rule="replica_starting",
            cause="The replica is still starting, and refuses requests until it is ready",
            advice="Wait until the log says that the server is ready; the phases of the start say what takes the time.",
        )
    if logged.outcome == "serving" and logged.starts > 1:
        return Cause(
            rule="replica_restarted",
            cause=f"A replica was started {logged.starts} times, and refuses requests while it starts",
            explanation="Its server ended and was started again.",
            advice="Diagnose the log up to its last start, which says why the server ended. Another replica "
            "(serving.min_replica_count) answers meanwhile.",
        )
    return None


def _overloaded(logged: Diagnosis) -> Cause | None:
    """None unless more requests waited than were worked on: a busy server shows a few that have just arrived."""
    if logged.outcome != "serving":
        return None
    loads = ((load, line) for line in logged.marks if (load := _LOAD.search(line.message)))
    queues = [(int(load["waiting"]), int(load["running"]), line) for load, line in loads]
    waiting, running, line = max(
        (queue for queue in queues if queue[0] > queue[1] > 0), key=lambda queue: queue[0], default=(0, 0, None)
    )
    if line is None:
        return None
    return Cause(
        rule="overloaded",
        cause=f"The replica is overloaded: {waiting} requests waited while it worked on {running}",
        advice="Send fewer requests at once, raise serving.max_replica_count, or ask for fewer max_tokens.",
        evidence=(line,),
        seen=_SEEN,
    )
