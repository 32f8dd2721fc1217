"""A server that is ready, and that Vertex AI did not reach, is told apart from one that serves."""

import pytest

from vertex_vllm.diagnosis.never_ready import ready_unasked
from vertex_vllm.diagnosis.sources import diagnose_lines

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
