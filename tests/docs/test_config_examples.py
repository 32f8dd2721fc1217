"""Configs that pages show are valid, whole ones and sections."""

import re
from pathlib import Path

import pytest
import yaml

from vertex_vllm.config import Deployment
from vertex_vllm.config.config_file import parse_deployment

DOCS = Path(__file__).resolve().parents[2] / "docs"
REQUIRED = "name: llama-8b\nmodel:\n  id: meta-llama/Llama-3.1-8B-Instruct\n"
# Pages with other YAML: images of the local cloud, a suite of questions.
OTHERS = ("own-containers.md", "local-cloud.md", "evaluation.md")


def shown() -> list[tuple[str, str]]:
    """Page and text of each YAML block whose keys are fields of a config."""
    return [
        (page.relative_to(DOCS).as_posix(), text)
        for page in sorted(DOCS.rglob("*.md"))
        for text in re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        if page.name not in OTHERS or set(yaml.safe_load(text)) <= set(Deployment.model_fields)
    ]


@pytest.mark.parametrize(("page", "text"), shown(), ids=[page for page, _ in shown()])
def test_the_config_of_a_page_is_valid(page: str, text: str) -> None:
    whole = text if "model" in yaml.safe_load(text) else REQUIRED + text
    assert parse_deployment(whole, page).name == "llama-8b"


def test_configs_are_shown() -> None:
    assert {page for page, _ in shown()} >= {"configs.md", "evaluation.md", "load.md", "schedules.md"}
