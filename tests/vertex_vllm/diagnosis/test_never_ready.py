"""A server that is ready, and that Vertex AI did not reach, is told apart from one that serves."""

from datetime import UTC, datetime, timedelta

import pytest

from vertex_vllm.diagnosis.never_ready import ready_after_all, ready_unasked
from vertex_vllm.diagnosis.ranking import Diagnosis
from vertex_vllm.diagnosis.sources import diagnose_lines
from vertex_vllm.error_data import Refusal

START = "(APIServer pid=1) INFO 11-30 12:34:01 [utils.py:299] vLLM API server version 0.26.0"
READY = "(APIServer pid=1) INFO:     Application startup complete."
SAID = "Not deployed within 7200 s: the operation was cancelled; nothing came up"


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("INFO 04-29 09:12:44 [api_server.py:1090] Starting vLLM API server on http://0.0.0.0:9999", "port_mismatch"),
        (
            "(APIServer pid=1) INFO 11-30 12:36:01 [api_server.py:677] Starting vLLM server on http://0.0.0.0:8000",
            "port_mismatch",
        ),
        ("INFO:     Uvicorn running on http://0.0.0.0:8081 (Press CTRL+C to quit)", "port_mismatch"),
        (
            "INFO 10-14 15:04:20 [api_server.py:1912] Starting vLLM API server 0 on http://0.0.0.0:8080",
            "health_route_unanswered",
        ),
        ("container 12:36:02 serving on port 41233 after 31.2 s", "health_route_unanswered"),
    ],
)
def test_a_ready_server_that_was_not_taken_for_healthy_says_where_it_listens(line: str, rule: str) -> None:
    found = ready_unasked(diagnose_lines([START, line, READY]), [SAID])
    assert found is not None
    assert (found.outcome, [cause.rule for cause in found.causes]) == ("failed", [rule])


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ([START, READY], "HTTP 400: the request has no prompt"),
        ([START, "RuntimeError: Engine core initialization failed. See root cause above."], SAID),
        ([START], SAID),
    ],
    ids=["it serves", "it failed", "it still starts"],
)
def test_every_other_log_is_left_to_the_rules(log: list[str], said: str) -> None:
    assert ready_unasked(diagnose_lines(log), [said]) is None


ENDED = datetime(2026, 10, 14, 16, 0, tzinfo=UTC)
TIMED_OUT = Refusal("FAILED_PRECONDITION", "Deployment timed out.")
STARTED = (
    "Loading weights took 1912.40 seconds",
    "torch.compile takes 41.20 s in total",
    "Graph capturing finished in 12 secs, took 0.84 GiB",
    "init engine (profile, create kv cache, warmup model) took 2070.00 seconds",
    "Starting vLLM server on http://0.0.0.0:8080",
    "Application startup complete.",
)


def _explained(logged: Diagnosis, refusal: Refusal = TIMED_OUT) -> Diagnosis:
    found = ready_after_all(logged, refusal, ENDED - timedelta(hours=1), ENDED)
    assert found is not None
    return found


LOAD = "Engine 000: Avg prompt throughput: 0.0 tokens/s, Running: 0 reqs, Waiting: 0 reqs, GPU KV cache usage: 0.0%"


@pytest.mark.parametrize(
    ("before_the_end", "rule"),
    [
        (timedelta(minutes=20), "health_route_unanswered"),
        (timedelta(seconds=20), "ready_too_late"),
        (timedelta(seconds=-90), "ready_too_late"),
    ],
    ids=["long ready", "ready at the last moment", "ready afterwards"],
)
def test_the_end_of_the_deploy_tells_a_late_server_from_an_unreached_one(before_the_end: timedelta, rule: str) -> None:
    moment = f"{ENDED - before_the_end:%Y-%m-%dT%H:%M:%S.%fZ}"
    logged = diagnose_lines([START, *(f"{moment} (APIServer pid=1) INFO:     {line}" for line in STARTED)])
    assert (logged.outcome, logged.causes) == ("serving", ())
    found = _explained(logged)
    [cause] = found.causes
    assert (found.outcome, cause.rule) == ("failed", rule)
    assert cause.explanation.startswith("The deploy ended at 2026-10-14 16:00:00 UTC: Deployment timed out. ")
    assert ("The longest phase of its start was load, 1912 s." in cause.explanation) == (rule == "ready_too_late")


def test_a_server_that_logs_its_load_was_ready_before_that() -> None:
    ready, last = (f"{ENDED - timedelta(minutes=before):%Y-%m-%dT%H:%M:%SZ}" for before in (20, 0))
    said = [f"{ready} (APIServer pid=1) INFO:     {line}" for line in STARTED]
    logged = diagnose_lines([START, *said, f"{last} (APIServer pid=1) INFO 10-14 16:00:00 [loggers.py:248] {LOAD}"])
    [cause] = _explained(logged).causes
    assert cause.rule == "health_route_unanswered"


def test_a_log_without_years_leaves_the_port_to_be_named() -> None:
    said = "INFO 04-29 09:12:44 [api_server.py:1090] Starting vLLM API server on http://0.0.0.0:9999"
    [cause] = _explained(diagnose_lines([START, said, READY])).causes
    assert cause.rule == "port_mismatch"
