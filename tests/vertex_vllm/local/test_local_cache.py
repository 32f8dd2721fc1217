from collections.abc import Mapping
from pathlib import Path

import pytest

from vertex_vllm.local.local_cache import cache_directory


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"VERTEX_VLLM_CACHE": "/own"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/vertex-vllm"),
        ({"VERTEX_VLLM_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
        ({"HOME": "/home/somebody"}, "/home/somebody/.cache/vertex-vllm"),
    ],
)
def test_where_it_is(variables: Mapping[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VERTEX_VLLM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_directory() == Path(expected)
