"""The end of a container with real vLLM: by SIGKILL, by SIGTERM, or because vLLM refuses to start."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import storage
from running_container import RunningContainer, running

from vertex_vllm.local.demo_models import build

SERVER = ["python", "-m", "vllm.entrypoints.api_server", "--host=0.0.0.0", "--port=8080"]
# As Google's notebooks deploy a text model.
TEXT_ARGS = [
    *["--tensor-parallel-size=1", "--swap-space=16", "--gpu-memory-utilization=0.9", "--max-model-len=1024"],
    *["--dtype=auto", "--max-loras=1", "--max-cpu-loras=8", "--max-num-seqs=8", "--disable-log-stats"],
]


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


@pytest.mark.vllm
@pytest.mark.slow
def test_the_log_tells_what_was_fetched_and_left_out(text, weights):
    assert f"{weights}: 10 files" in text.log
    assert "--swap-space=16 is left out: vLLM 0.18 did away with swapping" in text.log


@pytest.mark.vllm
@pytest.mark.slow
def test_a_killed_container_leaves_no_vllm(text):
    assert len(text.members()) > 3, "vLLM runs in processes of its own"
    os.kill(text.process.pid, signal.SIGKILL)
    text.wait_gone()


@pytest.mark.vllm
@pytest.mark.slow
def test_the_end_of_stdin_ends_everything(image):
    image.cut_lifeline()
    assert image.wait() == 0
    assert image.members() == []
    assert list(image.temporary.iterdir()) == []
    assert not image.ready_file.exists()


@pytest.mark.vllm
@pytest.mark.slow
def test_an_unknown_option_ends_the_container_as_vllm_ends(models, tmp_path):
    model = f"--model={models[build.TEXT_MODEL]}"
    with running(tmp_path, *SERVER, model, "--no-such-option=1") as container:
        assert container.wait() == 2
        container.wait_gone()
        assert list(container.temporary.iterdir()) == []
    assert "api_server.py: error: unrecognized arguments: --no-such-option=1" in container.log


@pytest.mark.vllm
@pytest.mark.slow
def test_weights_that_are_not_there_end_the_container(cloud, weights, tmp_path):
    with running(tmp_path, *SERVER, f"--model={weights}-missing") as container:
        assert container.wait() == 1
        container.wait_gone()
    assert f"There are no objects under {weights}-missing" in container.log


def test_args_without_a_program_end_the_container_as_in_the_image(tmp_path):
    with running(tmp_path, "--model=gs://bucket/model") as container:
        assert container.wait() == 127
    assert container.log.endswith("line 319: --model=gs://bucket/model: No such file or directory\n")
