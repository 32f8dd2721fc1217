"""Requests that are refused or take too long: overload, a long answer, a replica that starts, and a wrong route."""

import pytest

from vertex_vllm.diagnosis.refused_requests import refused_requests
from vertex_vllm.diagnosis.sources import diagnose_lines

START = "(APIServer pid=1) INFO 11-30 12:34:01 [utils.py:299] vLLM API server version 0.26.0"
READY = "(APIServer pid=1) INFO:     Application startup complete."
CRASH = "RuntimeError: Engine core initialization failed. See root cause above."
BUSY = (
    "(APIServer pid=1) INFO 11-30 12:{minute}:01 [loggers.py:248] Engine 000: Avg prompt throughput: 9.1 tokens/s, "
    "Avg generation throughput: 8.2 tokens/s, Running: {running} reqs, Waiting: {waiting} reqs, GPU KV cache usage: 97%"
)
IDLE = BUSY.format(minute=40, running=2, waiting=0)
QUEUE = [BUSY.format(minute=50, running=12, waiting=300), BUSY.format(minute=51, running=12, waiting=7)]
REFUSED, SLOW = "HTTP 503: no healthy upstream", "HTTP 503: Took too long to respond when processing endpoint_id: 7"


@pytest.mark.parametrize(
    ("log", "said", "rule"),
    [
        ([START, READY, *QUEUE], REFUSED, "overloaded"),
        ([START, READY, *QUEUE], SLOW, "overloaded"),
        # A day of work before, and a few hours of it.
        ([START, READY, *[IDLE] * 8000, *QUEUE], REFUSED, "overloaded"),
        ([START, READY, *[IDLE] * 600, *QUEUE], REFUSED, "overloaded"),
        ([START, READY, *QUEUE], "openai.RateLimitError: Error code: 429", "overloaded"),
        ([START, READY, *[IDLE] * 12, START, READY], REFUSED, "replica_restarted"),
        ([START], REFUSED, "replica_starting"),
        ([START, READY, IDLE], REFUSED, ""),
        ([START, READY, IDLE], SLOW, ""),
        # Requests that have just arrived, and an engine that works on nothing.
        ([START, READY, *[BUSY.format(minute=50, running=12, waiting=2)] * 5], SLOW, ""),
        ([START, READY, BUSY.format(minute=50, running=0, waiting=1)], REFUSED, ""),
        ([START, READY, *QUEUE], "HTTP 404: Not Found", ""),
        ([START, CRASH], REFUSED, ""),
    ],
)
def test_the_log_of_the_replica_tells_them_apart(log: list[str], said: str, rule: str) -> None:
    found = refused_requests(diagnose_lines(log), [said])
    named = [cause.rule for cause in found.causes] if found else []
    assert named == [rule] * bool(rule)


def test_the_longest_queue_is_the_evidence() -> None:
    found = refused_requests(diagnose_lines([START, READY, *QUEUE]), [REFUSED])
    assert found is not None
    (cause,) = found.causes
    assert cause.cause == "The replica is overloaded: 300 requests waited while it worked on 12"
    assert [line.number for line in cause.evidence] == [3]
