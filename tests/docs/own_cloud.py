"""A local cloud for one tutorial, whose containers may run a small model server in the place of vLLM."""

import os
from pathlib import Path

import yaml

from tests.vertex_vllm.model_server import PROGRAM
from tests.vertex_vllm.suite_answers import answers_of

_OURS = ("VERTEX_VLLM_RUNTIME", "VERTEX_VLLM_CACHE")
# Variables of a person's shell; of the tests' own, only the number of vLLM's threads.
_PERSON = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "OMP_NUM_THREADS", *_OURS)
_SUITES = ("text-small", "image-small")


def persons_environment() -> dict[str, str]:
    """The variables of a shell before `vertex-vllm local env`."""
    return {name: os.environ[name] for name in _PERSON if name in os.environ}


def serve_small_models(folder: Path) -> Path:
    """A file `images.yaml` for the state folder of a local cloud: each vLLM image is a small model server.

    `folder` must outlive the cloud: it holds the server's answers.
    """
    folder.mkdir(parents=True)
    questions = folder / "questions.jsonl"
    questions.write_text("".join(map(answers_of, _SUITES)), encoding="utf-8")
    command = ["{python}", PROGRAM, f"--questions={questions}"]
    images = folder / "images.yaml"
    images.write_text(yaml.safe_dump({"images": [{"image": "*vllm*", "command": command}]}), encoding="utf-8")
    return images
