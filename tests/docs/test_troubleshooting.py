"""The code has every message that the page quotes."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Messages of the shell, and routes that an HTTP client calls.
NOT_OURS = {"command not found", "/models", "/completions", "/embeddings"}


def test_every_quoted_message_is_in_the_code() -> None:
    sources = "".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8")) for path in (ROOT / "vertex_vllm").rglob("*.py")
    )
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    first = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    quoted = {words for cell in first for words in re.findall(r"`([^`]+)`", cell)} - NOT_OURS
    steps = {words for words in quoted if (ROOT / "components" / f"{words.replace('-', '_')}.py").exists()}
    settings = {"ttl", "max_tokens"}
    assert [words for words in sorted(quoted - steps - settings) if words not in sources] == []
    assert len(quoted) > 10
