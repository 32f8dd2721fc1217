"""Real vLLM in the container: requests to the ports of the containers in which runs have deployed the demo's models."""

import base64
import json
import re
import struct
import zlib
from dataclasses import dataclass

import httpx
import openai
import pytest

from tests.demo_project import REGION
from tests.localcloud.services.vertex.echo_deployments import containers_of, environment_of
from vertex_vllm.vertex_ai.clients import model_client

pytestmark = pytest.mark.vllm

QUESTION = [{"role": "user", "content": "What is a car?"}]


@dataclass(frozen=True)
class Container:
    """A container that serves an endpoint."""

    url: str
    weights: str
    """`gs://…`, from its Model's arguments."""
    log: str


def container_of(cloud, served) -> Container:
    name = served.endpoint.rpartition("/")[2]
    process, *_ = containers_of(served.endpoint)
    (log,) = (cloud.state_dir / "logs" / "containers").glob(f"{name}-*.log")
    args = model_client(REGION).get_model(name=served.model).container_spec.args
    (weights,) = (arg.removeprefix("--model=") for arg in args if arg.startswith("--model="))
    return Container(f"http://127.0.0.1:{environment_of(process)['AIP_HTTP_PORT']}", weights, log.read_text())


@pytest.fixture
def text(cloud, served_text) -> Container:
    return container_of(cloud, served_text)


@pytest.fixture
def image(cloud, served_image) -> Container:
    return container_of(cloud, served_image)


def _generate(container: Container, body: object) -> httpx.Response:
    return httpx.post(f"{container.url}/generate", json=body, timeout=120, trust_env=False)


def test_health_and_vllms_own_routes(text):
    with httpx.Client(base_url=text.url, trust_env=False) as client:
        assert client.get("/ping").status_code == 200
        assert client.get("/health").status_code == 200
        assert [model["id"] for model in client.get("/v1/models").json()["data"]] == [text.weights]
        assert client.get("/metrics").text.startswith("# HELP")


def test_prompts(text):
    prompt = {"prompt": "The capital of France is", "max_tokens": 2, "temperature": 0, "top_p": 1.0, "top_k": 1}
    answer = _generate(text, {"instances": [prompt, {**prompt, "raw_response": True}]})
    assert answer.json() == {"predictions": ["Prompt:\nThe capital of France is\nOutput:\n Paris.", " Paris."]}


def test_chat_as_an_instance_is_answered_with_one_object(text):
    instance = {"@requestFormat": "chatCompletions", "messages": QUESTION, "max_tokens": 20, "temperature": 0}
    predictions = _generate(text, {"instances": [instance]}).json()["predictions"]
    assert "vehicle" in predictions["choices"][0]["message"]["content"]
    assert predictions["usage"]["completion_tokens"] == 20


def test_chat_as_a_body_is_answered_as_it_is(text):
    body = {"@requestFormat": "chatCompletions", "messages": QUESTION, "max_tokens": 20, "temperature": 0}
    assert "vehicle" in _generate(text, body).json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("model", ["", "anything"])
def test_openai_client_with_any_model(text, model):
    client = openai.OpenAI(base_url=f"{text.url}/v1", api_key="none", http_client=httpx.Client(trust_env=False))
    completion = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=20, temperature=0)
    assert "vehicle" in completion.choices[0].message.content


def test_a_stream_comes_in_parts_while_the_model_writes(text):
    body = {"messages": QUESTION, "@requestFormat": "chatCompletions", "max_tokens": 40, "temperature": 0}
    with httpx.stream(
        "POST", f"{text.url}/generate", json={**body, "stream": True}, timeout=120, trust_env=False
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        parts = list(answer.iter_raw())
    events = [line.removeprefix("data: ") for line in b"".join(parts).decode().splitlines() if line]
    deltas = [json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1]]
    assert events[-1] == "[DONE]"
    assert "vehicle" in "".join(deltas)
    # A buffered answer would arrive in one or two parts.
    assert len(parts) > 10


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param(
            "/generate",
            {"instances": [{"prompt": "a", "max_tokens": -3}]},
            "max_tokens must be at least 1",
            id="vLLM's",
        ),
        pytest.param("/generate", {}, 'The body must have "instances"', id="Model Garden's server's"),
        pytest.param(
            "/v1/chat/completions",
            {"messages": QUESTION, "chat_template": "{{ 1 }}"},
            "Refused request with untrusted chat template.",
            id="a template that the args do not allow",
        ),
    ],
)
def test_refusals_keep_status_and_words(text, path, body, message):
    answer = httpx.post(f"{text.url}{path}", json=body, trust_env=False)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_the_log_tells_what_was_fetched_and_left_out(text):
    assert re.search(rf"{re.escape(text.weights)}: \d+ files", text.log)
    assert "--gpu-memory-utilization=0.9 is left out: there is no GPU here" in text.log
    assert "Starting vLLM server" in text.log


def test_pictures(image):
    prompt = "<|im_start|>user\n<image>What is in the picture?<|im_end|>\n<|im_start|>assistant\n"
    base = {"prompt": prompt, "max_tokens": 12, "temperature": 0, "raw_response": True}
    instances = [{**base, "multi_modal_data": {"image": _picture(colour)}} for colour in ("red", "black")]
    predictions = _generate(image, {"instances": instances}).json()["predictions"]
    chat = {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": _picture("red")}},
                    {"type": "text", "text": "What is in the picture?"},
                ],
            }
        ],
        "max_tokens": 12,
        "temperature": 0,
    }
    completion = httpx.post(f"{image.url}/v1/chat/completions", json=chat, timeout=120, trust_env=False).json()
    assert all(predictions)
    # The prompt is what the chat template makes of the messages, so the tokens are the same and so is the answer.
    assert predictions[0] == completion["choices"][0]["message"]["content"]


def _picture(colour: str) -> str:
    """A PNG of one colour, as a `data:` URI."""
    pixel = {"red": b"\xff\x00\x00", "black": b"\x00\x00\x00"}[colour]
    side = 64
    rows = (b"\x00" + pixel * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
