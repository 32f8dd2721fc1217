"""Every method that calls an endpoint, dedicated and shared."""

import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.vertex_vllm.conftest import LocalCloud
from vertex_vllm.errors import InferenceError, InputError
from vertex_vllm.inference import endpoint_connection
from vertex_vllm.inference.chat import ChatAnswer
from vertex_vllm.inference.inference_client import EndpointClient, read_json

CAR = "A car is a vehicle with four wheels."
QUESTION = [{"role": "user", "content": "What is a car?"}]


def test_predict_answers_each_instance(client: EndpointClient) -> None:
    instances = [
        {"prompt": "What is a car?", "raw_response": True},
        {"prompt": "What is 2 + 2?", "raw_response": False},
    ]
    assert client.predict(instances) == [CAR, "Prompt:\nWhat is 2 + 2?\nOutput:\n4"]


def test_a_chat_completion_through_predict_is_one_prediction(client: EndpointClient) -> None:
    (completion,) = client.predict([{"@requestFormat": "chatCompletions", "messages": QUESTION}])
    assert completion["choices"][0]["message"]["content"] == CAR


def test_raw_predict_passes_bytes_on(client: EndpointClient) -> None:
    answer = client.raw_predict(json.dumps({"instances": [{"prompt": "2 + 2", "raw_response": True}]}).encode())
    assert json.loads(answer) == {"predictions": ["4"]}


def test_chat(client: EndpointClient) -> None:
    answer = client.chat(QUESTION, max_tokens=20)
    assert answer == ChatAnswer(CAR, "stop", 5, 8, answer.seconds)


def test_a_streamed_answer_comes_in_parts_and_ends_with_the_counts(client: EndpointClient) -> None:
    chunks = list(client.stream_chat(QUESTION))
    assert "".join(chunk.text for chunk in chunks) == CAR
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert (chunks[-1].prompt_tokens, chunks[-1].completion_tokens) == (5, 8)
    times = [chunk.seconds for chunk in chunks]
    assert times == sorted(times)
    assert len(set(times)) > 3, "all parts came at once"


def test_streamed_answers_come_over_one_connection(client: EndpointClient, caplog: pytest.LogCaptureFixture) -> None:
    list(client.stream_chat(QUESTION))
    with caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
        for _ in range(3):
            list(client.stream_chat(QUESTION))
    assert caplog.text.count("chat/completions") == 3
    assert "Starting new" not in caplog.text
    assert "Resetting dropped" not in caplog.text


def test_one_client_serves_many_threads(client: EndpointClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.chat(QUESTION).text, range(32)))
    assert answers == [CAR] * 32


def test_a_passing_refusal_is_tried_again(client: EndpointClient, endpoint: str) -> None:
    for status in (429, 503, 500, 502, 504):
        prompt = f"refuse once {status} for {endpoint}. What is a car?"
        assert client.chat([{"role": "user", "content": prompt}]).text == CAR


@pytest.mark.parametrize("kind", ["reset", "lost_answer"])
def test_a_connection_that_breaks_is_tried_again(client: EndpointClient, faulty: Any, kind: str) -> None:
    """A repeated request costs a second answer, and nothing else."""
    faulty.add_fault(service="vertex", method="POST", path="*/chat/completions", kind=kind, times=3)
    assert client.chat(QUESTION).text == CAR
    faulty.add_fault(service="vertex", method="POST", path="*/chat/completions", kind=kind, times=4)
    with pytest.raises(InferenceError, match="The connection broke"):
        client.chat(QUESTION)
    assert [fault["struck"] for fault in faulty.faults()] == [3, 4]


@pytest.mark.parametrize("status", [400, 401, 404, 500, 501])
def test_any_other_refusal_is_told_in_the_servers_words(client: EndpointClient, status: int) -> None:
    refused = f"HTTP {status}: as you wished: the weights are on fire"
    messages = [{"role": "user", "content": f"refuse {status} the weights are on fire"}]
    with pytest.raises(InferenceError, match=refused):
        client.chat(messages)
    with pytest.raises(InferenceError, match=refused):
        list(client.stream_chat(messages))
    with pytest.raises(InferenceError, match=refused):
        client.predict([{"prompt": messages[0]["content"]}])


def test_an_answer_that_takes_too_long_is_not_asked_for_again(client: EndpointClient) -> None:
    with pytest.raises(InferenceError) as raised:
        client.predict([{"prompt": "refuse 503 Took too long to respond when processing"}])
    assert raised.value.fix == "Ask for fewer max_tokens."


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("break off", "ended before the answer did"), ("fail half way", "broke off its answer: EngineCore died")],
)
def test_a_stream_that_breaks_off_is_no_answer(client: EndpointClient, prompt: str, said: str) -> None:
    parts = []
    with pytest.raises(InferenceError, match=said):
        parts.extend(client.stream_chat([{"role": "user", "content": f"What is a car? {prompt}"}]))


def test_a_prediction_that_is_missing_is_noticed(client: EndpointClient) -> None:
    with pytest.raises(InferenceError, match="Not 2 predictions"):
        client.predict([{"@requestFormat": "chatCompletions", "messages": QUESTION}] * 2)


def test_an_endpoint_that_is_not_there(endpoints: dict[str, str]) -> None:
    gone = re.sub("endpoints/.*", "endpoints/gone", endpoints["shared"])
    with pytest.raises(InferenceError, match="HTTP 404") as raised:
        EndpointClient(gone).chat(QUESTION)
    assert raised.value.fix == "Check that the endpoint exists, in that project and region."


def test_a_caller_who_may_not_ask(endpoints: dict[str, str], local: LocalCloud) -> None:
    denial = {"permission": "aiplatform.endpoints.predict", "resource": endpoints["dedicated"]}
    local.put("denials", **denial, denied=True)
    try:
        with pytest.raises(InferenceError, match="HTTP 403") as raised:
            EndpointClient(endpoints["dedicated"]).chat(QUESTION)
    finally:
        local.put("denials", **denial, denied=False)
    assert "roles/aiplatform.user" in raised.value.fix


def test_no_way_to_the_service_is_told_after_some_tries(
    endpoints: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_connection, "RETRY_SECONDS", 0.5)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with pytest.raises(InferenceError, match=r"No connection: .*refused"):
        EndpointClient(endpoints["dedicated"]).chat(QUESTION)


@pytest.mark.parametrize("name", ["", "123", "projects/p/locations/us-central1/models/1"])
def test_what_is_no_endpoints_name_is_refused_before_anything_is_asked(name: str) -> None:
    with pytest.raises(InputError, match="endpoints/ID"):
        EndpointClient(name)


def test_an_answer_that_is_nested_too_deeply_is_no_json() -> None:
    answer = requests.Response()
    answer._content = b'{"predictions": ' + b"[" * 200_000
    with pytest.raises(InferenceError, match="The answer is not JSON"):
        read_json(answer)
