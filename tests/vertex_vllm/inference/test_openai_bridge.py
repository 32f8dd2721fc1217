"""An endpoint behind the bridge, called by OpenAI's client and by inspect-ai."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from tests.vertex_vllm.cli.documented_commands import ROOT, vertex_vllm
from tests.vertex_vllm.cli.test_calling import Live, live  # noqa: F401  # the fixture
from tests.vertex_vllm.served_models import REGION
from vertex_vllm.errors import InferenceError
from vertex_vllm.inference.openai_bridge import MODEL, Bridge, bridge_to

pytestmark = pytest.mark.usefixtures("working")

TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

@task
def general_knowledge():
    rows = {"What is the capital of France?": "Paris", "What is 2 + 2?": "4", "Who?": "Nobody"}
    asked = [Sample(input=question, target=answer) for question, answer in rows.items()]
    return Task(dataset=asked, solver=generate(), scorer=includes())
"""


@pytest.fixture
def bridge(live: Live) -> Iterator[Bridge]:  # noqa: F811
    with bridge_to(live.endpoint) as made:
        yield made


def test_openais_client_asks_the_endpoint_without_google_credentials(bridge: Bridge) -> None:
    client = openai.OpenAI(base_url=bridge.base_url, api_key=bridge.key, max_retries=0)
    question: Any = [{"role": "user", "content": "What is the capital of France?"}]
    whole = client.chat.completions.create(model=MODEL, messages=question)
    assert whole.choices[0].message.content == "Paris."
    streamed = client.chat.completions.create(model=MODEL, messages=question, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices) == "Paris."
    assert [model.id for model in client.models.list()] == [MODEL]
    refused: Any = [{"role": "user", "content": "refuse 400 this"}]
    with pytest.raises(openai.BadRequestError, match="as you wished: this"):
        client.chat.completions.create(model=MODEL, messages=refused)


def test_the_bridge_refuses_what_it_does_not_serve(bridge: Bridge) -> None:
    cases = (
        ("/chat/completions", "another", b"{}", 401),
        ("/completions", bridge.key, b"{}", 404),
        ("/chat/completions", bridge.key, b"[", 400),
        ("/chat/completions", bridge.key, b"", 413),
    )
    for path, key, body, status in cases:
        headers = {"Authorization": f"Bearer {key}"}
        answer = requests.post(f"{bridge.base_url}{path}", data=body, headers=headers, timeout=60)
        assert answer.status_code == status
        assert answer.json()["error"]["message"]


def test_a_harness_finds_the_server_in_its_environment(live: Live, tmp_path: Path) -> None:  # noqa: F811
    program = tmp_path / "harness.py"
    program.write_text(
        "import openai, pathlib, sys\n"
        "asked = [{'role': 'user', 'content': 'What is the capital of France?'}]\n"
        "answer = openai.OpenAI().chat.completions.create(model='served', messages=asked)\n"
        f"pathlib.Path({str(tmp_path / 'answer')!r}).write_text(answer.choices[0].message.content)\n"
        "sys.exit(3)\n"
    )
    place = ("--project", live.project, "--region", REGION)
    assert vertex_vllm("harness", live.deployment, *place, "--", sys.executable, program).returncode == 3
    assert (tmp_path / "answer").read_text() == "Paris."
    with pytest.raises(InferenceError, match="HTTP 404"), bridge_to(f"{live.endpoint}-gone"):
        pass  # The error comes before anything listens.
    missing = vertex_vllm("harness", live.deployment, *place, "--", "no-such-harness")
    assert (missing.returncode, missing.stderr) == (
        2,
        "error: no-such-harness: cannot be started: No such file or directory. Name a program that is installed; "
        "`make harness` installs inspect-ai into .venv-harness\n",
    )


@pytest.mark.slow
def test_inspect_ai_runs_a_task_through_the_endpoint(live: Live, tmp_path: Path) -> None:  # noqa: F811
    inspect = Path(os.environ.get("VERTEX_VLLM_HARNESS") or ROOT / ".venv-harness") / "bin" / "inspect"
    if not inspect.exists():
        pytest.skip("`make harness` has not been run")
    (tmp_path / "general_knowledge.py").write_text(TASK)
    options = ("--model", "openai-api/served/served", "--display", "none", "--log-dir", "logs", "--log-format", "json")
    place = ("--project", live.project, "--region", REGION)
    command = (inspect, "eval", "general_knowledge.py", *options)
    done = vertex_vllm("harness", live.deployment, *place, "--", *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (written,) = (tmp_path / "logs").glob("*.json")
    log = json.loads(written.read_text())
    assert (log["status"], log["results"]["total_samples"]) == ("success", 3)
    assert log["results"]["scores"][0]["metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)
