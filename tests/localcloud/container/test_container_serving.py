"""Real vLLM in the container, with the demo's models: two servers for all of these tests."""

import base64
import json
import os
import signal
import struct
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from google.cloud import storage
from running_container import RunningContainer, running

from localcloud.demo_models import build

pytestmark = pytest.mark.vllm

SERVER = ["python", "-m", "vllm.entrypoints.api_server", "--host=0.0.0.0", "--port=8080"]
# As Google's notebooks deploy a text model.
TEXT_ARGS = [
    *["--tensor-parallel-size=1", "--swap-space=16", "--gpu-memory-utilization=0.9", "--max-model-len=1024"],
    *["--dtype=auto", "--max-loras=1", "--max-cpu-loras=8", "--max-num-seqs=8", "--disable-log-stats"],
]
QUESTION = [{"role": "user", "content": "What is a car?"}]


@pytest.fixture(scope="module")
def models() -> dict[str, Path]:
    return build.ensure()


@pytest.fixture(scope="module")
def weights(cloud, models) -> str:
    """The text model in Cloud Storage."""
    bucket = storage.Client().create_bucket(f"serving-{uuid.uuid4().hex}", location="us-central1")
    for path in models[build.TEXT_MODEL].iterdir():
        bucket.blob(f"models/smollm2/{path.name}").upload_from_filename(str(path))
    return f"gs://{bucket.name}/models/smollm2"


@pytest.fixture(scope="module")
def text(weights, tmp_path_factory) -> Iterator[RunningContainer]:
    folder = tmp_path_factory.mktemp("text")
    with running(folder, *SERVER, f"--model={weights}", *TEXT_ARGS) as container:
        container.wait_ready()
        yield container


@pytest.fixture(scope="module")
def image(models, tmp_path_factory) -> Iterator[RunningContainer]:
    folder = tmp_path_factory.mktemp("image")
    model = f"--model={models[build.IMAGE_MODEL]}"
    with running(folder, *SERVER, model, "--max-model-len=2048", "--max-num-seqs=4") as container:
        container.wait_ready()
        yield container


def _generate(container: RunningContainer, body: object) -> httpx.Response:
    return httpx.post(f"{container.url}/generate", json=body, timeout=120, trust_env=False)


def test_health_and_vllms_own_routes(text, weights):
    with httpx.Client(base_url=text.url, trust_env=False) as client:
        assert client.get("/ping").status_code == 200
        assert client.get("/health").status_code == 200
        assert [model["id"] for model in client.get("/v1/models").json()["data"]] == [weights]
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
    # Buffered on its way, it would come in a part or two.
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


def test_the_log_tells_what_was_fetched_and_left_out(text, weights):
    assert f"{weights}: 10 files" in text.log
    assert "--swap-space=16 is left out: vLLM 0.18 did away with swapping" in text.log
    assert "Starting vLLM server" in text.log


def test_a_killed_container_leaves_no_vllm(text):
    assert len(text.members()) > 3, "vLLM runs in processes of its own"
    os.kill(text.process.pid, signal.SIGKILL)
    text.wait_gone()


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


def test_the_end_of_stdin_ends_everything(image):
    image.cut_lifeline()
    assert image.wait() == 0
    assert image.members() == []
    assert list(image.temporary.iterdir()) == []
    assert not image.ready_file.exists()


def test_an_unknown_option_ends_the_container_as_vllm_ends(models, tmp_path):
    model = f"--model={models[build.TEXT_MODEL]}"
    with running(tmp_path, *SERVER, model, "--no-such-option=1") as container:
        assert container.wait() == 2
        container.wait_gone()
        assert list(container.temporary.iterdir()) == []
    assert "api_server.py: error: unrecognized arguments: --no-such-option=1" in container.log


def test_weights_that_are_not_there_end_the_container(cloud, weights, tmp_path):
    with running(tmp_path, *SERVER, f"--model={weights}-missing") as container:
        assert container.wait() == 1
        container.wait_gone()
    assert f"There are no objects under {weights}-missing" in container.log


def test_args_without_a_program_end_the_container_as_in_the_image(tmp_path):
    with running(tmp_path, "--model=gs://bucket/model") as container:
        assert container.wait() == 127
    assert container.log.endswith("line 319: --model=gs://bucket/model: No such file or directory\n")


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
