"""Which tests one process runs, where there are several (pytest-xdist)."""

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

_ROOT = Path(__file__).resolve().parents[1]


class Distribution(LoadScopeScheduling):  # type: ignore[misc]
    """A file's tests stay together, for what they share; and all that start a vLLM: one at a time."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "vLLM" if _starts_vllm(file) else file


@cache
def _starts_vllm(file: str) -> bool:
    # Read, since marks are known only where tests are collected, and this is another process.
    return "mark.vllm" in (_ROOT / file).read_text(encoding="utf-8")
