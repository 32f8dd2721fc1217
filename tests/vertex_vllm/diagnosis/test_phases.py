"""The phases of a start, with their seconds, and which took longer than where it was measured."""

import io

from vertex_vllm.diagnosis.phases import Phase, phases_of, slowest
from vertex_vllm.diagnosis.ranking import Diagnosis
from vertex_vllm.diagnosis.sources import diagnose_lines, diagnose_stream

# As vLLM 0.26 and the local cloud's container write them.
LOG = b"""\
container 10:00:01 gs://bucket/models/x: 12 files, 16060.2 MB in 58.1 s
(EngineCore pid=9) INFO 11-30 12:35:20 [default_loader.py:384] Loading weights took 9.00 seconds
(EngineCore pid=9) INFO 11-30 12:35:50 [monitor.py:48] torch.compile took 290.50 s in total
(EngineCore pid=9) INFO 11-30 12:36:02 [gpu_model_runner.py:6100] Graph capturing finished in 12 secs, took 0.57 GiB
"""


def diagnosed() -> Diagnosis:
    return diagnose_stream(io.BytesIO(LOG))


def test_each_phase_has_its_seconds_and_the_slow_one_says_so() -> None:
    note = "usual are 30 s (vLLM 0.26.0 on one H200, a model of Llama-3.1-8B's shape, empty caches)"
    assert phases_of(diagnosed().marks, 16_060_000_000) == (
        Phase("copy", 58.1),
        Phase("load", 9.0),
        Phase("compile", 290.5, note),
        Phase("capture", 12.0),
    )


def test_the_slowest_is_the_one_that_took_longer_than_usual() -> None:
    assert slowest(phases_of(diagnosed().marks)) == phases_of(diagnosed().marks)[2]


def test_requests_that_fail_are_told_apart() -> None:
    said = {
        "No answer within 1800 s": "answer_too_slow",
        'HTTP 404: {"detail":"Not Found"}': "route_missing",
        "HTTP 503: The service is currently unavailable": "refused_for_now",
        "HTTP 400: As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat "
        "template if the tokenizer does not define one.": "chat_template_missing",
    }
    assert {words: diagnose_lines([words]).causes[0].rule for words in said} == said
