"""Configs that pages show are valid."""

import re
from pathlib import Path

import pytest

from vertex_vllm.config.config_file import parse_deployment

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGINNING = "name: llama-8b\nmodel:\n  id: meta-llama/Llama-3.1-8B-Instruct\n"


@pytest.mark.parametrize(("page", "beginning"), [("configs.md", ""), ("schedules.md", BEGINNING)])
def test_the_config_of_a_page_is_valid(page: str, beginning: str) -> None:
    """The page's YAML, after the required fields where the page shows a section alone."""
    (shown,) = re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert parse_deployment(beginning + shown, page).name == "llama-8b"
