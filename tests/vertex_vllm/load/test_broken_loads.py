"""Loads on an endpoint that errs, drops streams or stalls, and loads that were killed, end in figures that say so."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.evaluation.evaluations import EVALUATION
from tests.vertex_vllm.served_models import own_project, serving_plan
from vertex_vllm.errors import InferenceError
from vertex_vllm.evaluation.evaluation_report import render
from vertex_vllm.evaluation.gates import verdict_of
from vertex_vllm.evaluation.load import put_load
from vertex_vllm.load.address import endpoint_address
from vertex_vllm.load.kept_steps import Step
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.measuring import measure_load
from vertex_vllm.load.slo import Slo
from vertex_vllm.load.stream_client import StreamedAnswer

PROBES = 3
QUICK = LoadSettings(concurrency=2, answer_tokens="fixed(3)", requests=6)


@pytest.fixture(scope="module")
def endpoint(cloud: Any) -> Iterator[str]:
    with own_project(cloud) as in_vertex:
        yield in_vertex.deploy(serving_plan())


@pytest.fixture
def broken(cloud: Any) -> Iterator[Any]:
    """Posts a fault for the requests after the probes."""

    def post(**fault: Any) -> None:
        cloud.add_fault(service="vertex", path="*/chat/completions", nth=PROBES + 1, **fault)

    yield post
    cloud.clear_faults()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"kind": "error", "status": 429}, "HTTP 429"),
        ({"kind": "truncate", "after_bytes": 300}, ""),
        pytest.param({"kind": "stall", "after_bytes": 300}, "No byte in time", marks=pytest.mark.slow),
    ],
    ids=["errors", "dropped streams", "stalls"],
)
def test_requests_that_fail_are_counted_with_their_reason(
    endpoint: str, broken: Any, fault: dict[str, Any], told: str
) -> None:
    broken(**fault, times=4)
    settings = replace(QUICK, slo=Slo(end_to_end=60.0), requests=72)
    # Seconds: shorter than a stall, and longer than an answer on a busy machine.
    load = put_load(endpoint, True, settings, answer_seconds=4.0 if fault["kind"] == "stall" else 60.0)
    assert load.result is not None
    # Two of the four are the warm-up's.
    assert (load.result.figures.failed, load.result.figures.meets_slo) == (2, True)
    ((error, count),) = load.result.figures.errors.items()
    assert told in error
    assert count == 2
    evaluation = replace(EVALUATION, load=load)
    assert f"2 of 72 requests of the load failed, most often with: {error}" in verdict_of(evaluation)[1]
    assert "Requests of the load that failed" in render(evaluation)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"kind": "error", "status": 503}, "None of 6 requests of the load was answered"),
        ({"kind": "stall", "after_bytes": 300}, "load.max_minutes was reached before a request was measured"),
    ],
    ids=["errors", "stalls"],
)
def test_an_endpoint_that_answers_none_fails_the_verdict(
    endpoint: str, broken: Any, fault: dict[str, Any], told: str
) -> None:
    broken(**fault, times=None)
    minutes = 0.01 if fault["kind"] == "stall" else 1.0
    load = put_load(endpoint, True, replace(QUICK, most_minutes=minutes), answer_seconds=0.7)
    evaluation = replace(EVALUATION, load=load)
    passed, sentence = verdict_of(evaluation)
    assert not passed
    assert f"The load could not be measured: {told}" in sentence
    assert told in render(evaluation)


class Kept:
    """Steps in memory; after `most` of them the process is killed, as far as the load can tell."""

    def __init__(self, most: int) -> None:
        self.steps: dict[tuple[int, float], Step] = {}
        self.most = most

    def found(self, number: int, rate: float) -> Step | None:
        return self.steps.get((number, rate))

    def keep(self, step: Step) -> None:
        if len(self.steps) == self.most:
            raise KeyboardInterrupt
        self.steps[step.number, step.rate] = step


@pytest.mark.slow
def test_a_killed_search_measures_only_what_is_missing(cloud: Any, endpoint: str) -> None:
    settings = replace(QUICK, requests=72, slo=Slo(end_to_end=60.0), find_highest_rate=True, rate=400.0)
    address, kept = endpoint_address(endpoint, True), Kept(1)
    with pytest.raises(KeyboardInterrupt):
        measure_load(address, settings, kept)
    ((first, step),) = kept.steps.items()
    kept.most = 99
    whole = measure_load(address, settings, kept)
    assert kept.steps[first] is step
    assert whole.samples == step.run.samples
    # With all of its steps kept the search sends nothing more, and ends with the same figures.
    kept.most = len(kept.steps)
    again = measure_load(address, settings, kept)
    assert (again.figures, again.search) == (whole.figures, whole.search)


class Pings:
    """A stream of comments, 7 seconds apart, that never ends."""

    seconds = 0.0

    async def readany(self) -> bytes:
        self.seconds += 7.0
        return b": ping\n\n"


def test_a_stream_of_comments_alone_is_no_answer() -> None:
    pings: Any = Pings()
    with pytest.raises(InferenceError, match="held no event for 20 s"):
        asyncio.run(StreamedAnswer(lambda: pings.seconds).read(pings, 20.0))
    assert pings.seconds == 21.0
