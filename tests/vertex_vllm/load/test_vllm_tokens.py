"""The load generator's token counts beside real vLLM's own counters."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.waiting import wait_until
from vertex_vllm.load.address import server_address
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.measuring import measure_load
from vertex_vllm.local.container.vllm_server import server_variables
from vertex_vllm.local.container.workspace import workspace
from vertex_vllm.local.demo_models import build
from vertex_vllm.local.serving_runtime import ensure_runtime

pytestmark = [pytest.mark.slow, pytest.mark.vllm]
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for vLLM's Unix sockets."""
    with workspace() as path:
        yield path


@pytest.fixture
def vllm(folder: Path) -> Iterator[str]:
    """The address of vLLM with the demo's text model."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    python, model = ensure_runtime(), build.ensure()[MODEL]
    variables = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    variables = server_variables(folder, variables, offline=True) | {"PYTHONPATH": ""}
    flags = [f"--model={model}", "--served-model-name=demo", f"--port={port}", "--max-model-len=1024"]
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", *flags, "--enforce-eager", "--max-num-seqs=8"]
    server = subprocess.Popen(command, cwd=folder, env=variables)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: server.poll() is not None or _serves(url))
        assert server.poll() is None, "vLLM ended"
        yield url
    finally:
        server.terminate()
        server.wait()


def _serves(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=10).ok
    except requests.ConnectionError:
        return False


def counters(url: str) -> tuple[float, float]:
    text = requests.get(f"{url}/metrics", timeout=10).text
    found = [re.search(rf"^vllm:{name}_tokens_total{{.*}} (\S+)$", text, re.M) for name in ("prompt", "generation")]
    assert all(found)
    prompt, output = (float(match[1]) for match in found if match)
    return prompt, output


def test_tokens_agree_with_those_of_vllm(vllm: str) -> None:
    before = counters(vllm)
    settings = LoadSettings(
        concurrency=4, prompt_tokens="uniform(50, 200)", answer_tokens="uniform(4, 24)", requests=24
    )
    result = measure_load(server_address(f"{vllm}/v1", "demo"), settings)
    after = counters(vllm)
    counted = after[0] - before[0], after[1] - before[1]
    assert (result.prompt_tokens, result.output_tokens) == pytest.approx(counted, rel=0.02)
    assert (result.figures.requests, result.figures.failed) == (24, 0)
    # The prompts have the lengths that were asked for, as far as two probes can estimate a tokenizer.
    lengths = [sample.prompt_tokens for sample in result.samples if not sample.warm_up and sample.prompt_tokens]
    assert 45 <= min(lengths) <= max(lengths) <= 220
