"""The phases of a start, with their seconds, beside those that the plan expects."""

import io
import json
from pathlib import Path

import pytest

from vertex_vllm.diagnosis.failed_step import diagnosed as diagnosed_step
from vertex_vllm.diagnosis.phases import Phase, phases_of, slowest
from vertex_vllm.diagnosis.ranking import Diagnosis
from vertex_vllm.diagnosis.sources import diagnose_lines, diagnose_stream
from vertex_vllm.errors import DeploymentError, InferenceError, VertexVllmError
from vertex_vllm.planning.start_time import expected_start

# As vLLM 0.26 and the local cloud's container write them.
LOG = b"""\
container 10:00:01 gs://bucket/models/x: 12 files, 16060.2 MB in 58.1 s
(EngineCore pid=9) INFO 11-30 12:35:20 [default_loader.py:384] Loading weights took 9.00 seconds
(EngineCore pid=9) INFO 11-30 12:35:50 [monitor.py:48] torch.compile took 290.50 s in total
(EngineCore pid=9) INFO 11-30 12:36:02 [gpu_model_runner.py:6100] Graph capturing finished in 12 secs, took 0.57 GiB
"""


def diagnosed() -> Diagnosis:
    return diagnose_stream(io.BytesIO(LOG))


EXPECTED = expected_start(16_060_000_000, 32, ("--max-model-len=4096",))


def test_each_phase_has_its_seconds_beside_those_that_the_plan_expects() -> None:
    assert phases_of(diagnosed().marks, EXPECTED) == (
        Phase("copy", 58.1, 62.8),
        Phase("load", 9.0, 14.6),
        Phase("compile", 290.5, 26.0),
        Phase("capture", 12.0, 10.6),
    )


def test_the_slowest_took_more_than_twice_the_expected_seconds() -> None:
    slow = slowest(phases_of(diagnosed().marks, EXPECTED))
    assert slow == Phase("compile", 290.5, 26.0)
    assert slow.note == "slow: 26 s expected"


def test_a_log_without_a_plan_is_compared_with_nothing() -> None:
    phases = phases_of(diagnosed().marks)
    assert {phase.note for phase in phases} == {""}
    assert slowest(phases) is None


@pytest.mark.parametrize("error", [DeploymentError, InferenceError])
def test_a_step_without_a_cause_in_the_log_names_the_slow_phase(error: type[VertexVllmError], tmp_path: Path) -> None:
    slow = "Deadline exceeded after Graph capturing finished in 120 secs, took 0.57 GiB"
    artifact, page = tmp_path / "diagnosis.json", tmp_path / "diagnosis.html"
    words = "The start was slow: capture took 120 s, 11 s were expected"
    with (
        pytest.raises(error, match=words),
        diagnosed_step(str(artifact), str(page), start_seconds=EXPECTED),
    ):
        raise error(slow, where="the endpoint")
    assert json.loads(artifact.read_text())["phases"] == [
        {"name": "capture", "seconds": 120.0, "expected": 10.6, "note": "slow: 11 s expected"}
    ]
    assert "slow: 11 s expected" in page.read_text()


def test_requests_that_fail_are_told_apart() -> None:
    said = {
        "No answer within 1800 s": "answer_too_slow",
        'HTTP 404: {"detail":"Not Found"}': "route_missing",
        "HTTP 503: The service is currently unavailable": "refused_for_now",
        "HTTP 400: As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat "
        "template if the tokenizer does not define one.": "chat_template_missing",
    }
    assert {words: diagnose_lines([words]).causes[0].rule for words in said} == said
