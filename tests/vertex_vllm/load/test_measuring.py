"""Loads on servers that answer: the small model server alone, and behind endpoints of the local cloud."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import google.auth.credentials
import pytest
import requests

from tests.vertex_vllm.model_server import PROGRAM
from tests.vertex_vllm.served_models import own_project, serving_plan
from tests.waiting import wait_until
from vertex_vllm.catalog.load_profiles import named_profile
from vertex_vllm.errors import CapReachedError, InferenceError, InputError
from vertex_vllm.load.address import Address, GoogleAuthorization, endpoint_address, server_address
from vertex_vllm.load.due_requests import ClosedLoop, OpenLoop, schedule
from vertex_vllm.load.generator import LoadGenerator
from vertex_vllm.load.load_caps import LoadCaps
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.loops import NOT_SENT, UNFINISHED, Limits
from vertex_vllm.load.measuring import measure_load
from vertex_vllm.load.slo import Slo

PATIENT = Limits(seconds=600, drain_seconds=600, under_way=100)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The small model server's address; its counters start at 0."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {**os.environ, "AIP_HTTP_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-S", PROGRAM], stdin=subprocess.PIPE, env=environment)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: _answers(url))
    yield url
    process.kill()
    process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.ConnectionError:
        return False


def counters(server: str) -> tuple[int, int]:
    """Prompt and output tokens, as the server counts them for Prometheus."""
    text = requests.get(f"{server}/metrics", timeout=10).text
    prompt, output = (re.search(rf"vllm:{name}_tokens_total\S* (\d+)", text) for name in ("prompt", "generation"))
    assert prompt
    assert output
    return int(prompt[1]), int(output[1])


def test_the_tokens_of_a_load_are_those_that_the_server_counts(server: str) -> None:
    before = counters(server)
    settings = LoadSettings(
        concurrency=3,
        prompt_tokens="uniform(20, 60)",
        answer_tokens="uniform(2, 9)",
        requests=30,
    )
    result = measure_load(server_address(f"{server}/v1"), settings)
    after = counters(server)
    counted = after[0] - before[0], after[1] - before[1]
    assert (result.prompt_tokens, result.output_tokens) == pytest.approx(counted, rel=0.02)
    figures = result.figures
    assert (figures.requests, figures.failed, figures.concurrency, figures.most_under_way) == (30, 0, 3, 3)
    # The prompts have the lengths that were asked for: the server counts words, and the probes found the scale.
    asked = sum(due.lengths.prompt for due in schedule(ClosedLoop(3), _profile(settings), 30, 3, seed=2)[3:])
    assert sum(sample.prompt_tokens or 0 for sample in result.samples if not sample.warm_up) == asked
    assert all(each["p50"].value > 0 for each in figures.latencies.values())
    assert len(result.to_document()["samples"]) == 30


def _profile(settings: LoadSettings) -> Any:
    return named_profile(settings.profile, settings.prompt_tokens, settings.answer_tokens)


def test_an_open_loop_sends_when_requests_are_due_and_searches_the_rate(server: str) -> None:
    settings = LoadSettings(
        rate=40.0,
        answer_tokens="fixed(3)",
        requests=72,
        slo=Slo(end_to_end=60.0),
        find_highest_rate=True,
        most_minutes=0.05,
    )
    result = measure_load(server_address(f"{server}/v1"), settings)
    assert (result.figures.rate, result.figures.failed, result.figures.meets_slo) == (40.0, 0, True)
    assert all(sample.started >= sample.scheduled for sample in result.samples)
    assert result.search is not None
    document = result.to_document()
    assert document["search"]["ended_because"] == result.search.ended_because
    assert document["settings"]["slo"]["end_to_end"] == 60.0


def test_a_large_load_is_spread_over_processes(server: str) -> None:
    dues = schedule(OpenLoop(200.0), named_profile("short", answer_tokens="fixed(2)"), 40, 0, seed=1)
    with LoadGenerator(server_address(f"{server}/v1")) as generator:
        runs = [generator.run(dues, PATIENT, streams=600) for _ in range(2)]
        pids = [worker.pid for worker in generator.workers]
        closed = generator.run(schedule(ClosedLoop(70), named_profile("short"), 3, 0, 1), PATIENT, 70, 70)
    assert [[sample.number for sample in run.samples] for run in runs] == [list(range(40))] * 2
    assert not any(sample.error for run in (*runs, closed) for sample in run.samples)
    assert len(closed.samples) == 3
    assert pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_requests_beyond_the_limit_and_after_the_end_count_as_failed(server: str) -> None:
    dues = schedule(OpenLoop(1000.0), named_profile("short", answer_tokens="fixed(200)"), 5, 0, seed=1)
    with LoadGenerator(server_address(f"{server}/v1")) as generator:
        run = generator.run(dues, Limits(seconds=60, drain_seconds=0.2, under_way=2), streams=1)
    assert sorted(sample.error for sample in run.samples) == sorted([NOT_SENT] * 3 + [UNFINISHED] * 2)


def test_lengths_that_the_server_refuses_are_told_before_the_load(server: str) -> None:
    with pytest.raises(InferenceError, match="No connection"):
        measure_load(server_address("http://127.0.0.1:1/v1"), LoadSettings())
    with pytest.raises(InputError, match="not a load profile"):
        measure_load(server_address(f"{server}/v1"), LoadSettings(profile="none"))


@pytest.fixture(scope="module")
def endpoints(cloud: Any) -> Iterator[dict[str, str]]:
    """Kind → name."""
    kinds = {"dedicated": True, "shared": False}
    with own_project(cloud) as in_vertex:
        yield {kind: in_vertex.deploy(serving_plan(dedicated_endpoint=dedicated)) for kind, dedicated in kinds.items()}


@pytest.mark.parametrize(
    ("kind", "chat"),
    [
        ("dedicated", True),
        ("shared", False),
        pytest.param("dedicated", False, marks=pytest.mark.slow),
        pytest.param("shared", True, marks=pytest.mark.slow),
    ],
)
def test_a_load_reaches_an_endpoint_of_vertex_ai(endpoints: dict[str, str], kind: str, chat: bool) -> None:
    """Through the local cloud's proxy, trusting its authority, with its access token."""
    address = endpoint_address(endpoints[kind], chat)
    assert ("prediction.vertexai.goog" in address.url) is (kind == "dedicated")
    result = measure_load(address, LoadSettings(concurrency=2, answer_tokens="fixed(3)"))
    figures = result.figures
    assert (figures.requests, figures.failed) == (6, 0)
    measured = {"time_to_first_token", "inter_token_latency", "end_to_end"} if chat else {"end_to_end"}
    assert set(figures.latencies) == measured
    assert (figures.output_tokens_per_second is not None) is chat


def test_an_endpoint_that_refuses_is_told_in_its_own_words(endpoints: dict[str, str]) -> None:
    address = endpoint_address(endpoints["shared"], True)
    gone = Address(f"{address.url.rsplit('/', 2)[0]}-gone/chat/completions", google=True)
    with pytest.raises(InferenceError, match="HTTP 404"):
        measure_load(gone, LoadSettings())


def test_a_probe_is_sent_again_when_the_service_fails(cloud: Any, endpoints: dict[str, str]) -> None:
    """Without its probes there is no load; a failure within the load is a figure."""
    cloud.add_fault(service="vertex", path="*/chat/completions", kind="error", status=500, times=1)
    try:
        result = measure_load(endpoint_address(endpoints["shared"], True), LoadSettings(concurrency=1))
        (fault,) = cloud.faults()
    finally:
        cloud.clear_faults()
    assert fault["struck"] == 1
    assert result.figures.failed == 0


class Expiring(google.auth.credentials.Credentials):  # type: ignore[misc]  # it has no types
    """Credentials whose every token is about to expire."""

    def __init__(self, seconds_left: float) -> None:
        super().__init__()
        self._seconds_left = seconds_left
        self.renewals = 0

    def refresh(self, request: object) -> None:
        self.renewals += 1
        self.token = f"token-{self.renewals}"
        self.expiry = (datetime.now(UTC) + timedelta(seconds=self._seconds_left)).replace(tzinfo=None)


def test_a_token_is_renewed_before_it_expires_and_requests_do_not_wait_for_it() -> None:
    async def two_headers(credentials: Expiring) -> tuple[str, str]:
        authorization = GoogleAuthorization(credentials)
        first, second = await authorization.header(), await authorization.header()
        await asyncio.to_thread(wait_until, lambda: credentials.renewals == 2)
        return first, second

    # google.auth renews a token in the last 3 minutes and 45 seconds.
    assert asyncio.run(two_headers(Expiring(60.0))) == ("Bearer token-1", "Bearer token-1")

    async def one_header(credentials: Expiring) -> str:
        await GoogleAuthorization(credentials).header()
        return await GoogleAuthorization(credentials).header()

    fresh = Expiring(3600.0)
    assert (asyncio.run(one_header(fresh)), fresh.renewals) == ("Bearer token-1", 1)


@pytest.mark.parametrize(
    ("caps", "measured", "ended_by"),
    [
        (LoadCaps(requests=3 + 2 + 5), 5, "max_requests"),  # three probes, and two requests that warm up
        (LoadCaps(requests=100, tokens=100_000, seconds=600.0), 12, ""),
        pytest.param(LoadCaps(seconds=0.001, seconds_cap="max_usd"), None, "max_usd", marks=pytest.mark.slow),
        (LoadCaps(requests=10, seconds=0.001, seconds_cap="max_usd"), None, "max_usd"),  # before all ten were sent
        (LoadCaps(requests=4), None, "max_requests"),
        (LoadCaps(tokens=1), None, "max_tokens"),
    ],
)
def test_a_load_ends_with_what_is_left_of_the_evaluations_caps(
    server: str, caps: LoadCaps, measured: int | None, ended_by: str
) -> None:
    settings = LoadSettings(concurrency=2, prompt_tokens="fixed(20)", answer_tokens="fixed(3)", requests=12)
    if measured is None:
        with pytest.raises(CapReachedError, match=f"{ended_by} was reached before a request was measured"):
            measure_load(server_address(f"{server}/v1"), settings, caps=caps)
        return
    result = measure_load(server_address(f"{server}/v1"), settings, caps=caps)
    assert (result.figures.requests, result.ended_by) == (measured, ended_by)
    assert result.to_document()["ended_by"] == ended_by


def test_a_cap_on_tokens_is_kept(server: str) -> None:
    settings = LoadSettings(concurrency=2, prompt_tokens="fixed(20)", answer_tokens="fixed(3)", requests=40)
    before = counters(server)
    result = measure_load(server_address(f"{server}/v1"), settings, caps=LoadCaps(tokens=1_000))
    counted = sum(counters(server)) - sum(before)
    assert result.ended_by == "max_tokens"
    assert 900 < counted <= 1_000


@pytest.mark.slow
def test_a_search_ends_with_the_cap_that_its_rates_used_up(server: str) -> None:
    settings = LoadSettings(
        rate=40.0, prompt_tokens="fixed(20)", answer_tokens="fixed(3)", slo=Slo(end_to_end=60.0), find_highest_rate=True
    )
    asked = settings.measured(40.0) + settings.warm_up(settings.measured(40.0), 40.0)
    result = measure_load(server_address(f"{server}/v1"), settings, caps=LoadCaps(requests=asked + 3))
    assert (result.ended_by, result.figures.meets_slo) == ("max_requests", True)
    assert result.search is not None
    assert (result.search.steps, result.search.ended_because) == ((), "max_requests was reached")
