"""A tutorial is walked as written, in a fresh folder, with a local cloud of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from localcloud import daemon
from tests.docs.walking import missing_lines, walk
from tests.vertex_vllm.model_server import PROGRAM
from tests.vertex_vllm.suite_answers import answers_of

ROOT = Path(__file__).resolve().parents[2]
# Of a person's shell, and nothing that the tests themselves were given.
PERSON = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VERTEX_VLLM_RUNTIME", "VERTEX_VLLM_CACHE")


pytestmark = pytest.mark.slow


@pytest.fixture(params=["model server", pytest.param("vLLM", marks=pytest.mark.vllm)])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """With vLLM, or with a small server in its place: the page's commands are the same."""
    if request.param == "model server":
        state = tmp_path / "my-models.state"
        state.mkdir()
        questions = state / "questions.jsonl"
        questions.write_text(answers_of("text-small"), encoding="utf-8")
        command = ["{python}", PROGRAM, f"--questions={questions}"]
        (state / "images.yaml").write_text(yaml.safe_dump({"images": [{"image": "*vllm*", "command": command}]}))
    yield tmp_path
    # The page ends it too, unless the walk was broken off.
    daemon.down(tmp_path / "my-models" / ".local-cloud")


def test_the_first_deployment_is_as_the_page_says(folder: Path) -> None:
    environment = {name: os.environ[name] for name in PERSON if name in os.environ}
    page = folder / "page.md"
    text = (ROOT / "docs" / "first-deployment.md").read_text()
    prepared = folder / "my-models.state" / "images.yaml"
    if prepared.exists():
        text = text.replace("cd my-models\n", f"cd my-models\nmkdir .local-cloud && cp {prepared} .local-cloud/\n")
    page.write_text(text)
    for block, output in walk(page, folder, environment):
        assert missing_lines(block.shown, output) == [], output
