"""Configs from strangers: keys that imitate lines, tokens out of place, tags that would run code."""

from pathlib import Path

import pytest

from vertex_vllm.config import load_deployment
from vertex_vllm.errors import ConfigError


def test_a_key_with_a_line_break_does_not_begin_another_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text('name: x\nmodel: {id: a/b}\n"\\r0": null\n')
    with pytest.raises(ConfigError) as raised:
        load_deployment(path)
    (fault,) = raised.value.faults
    assert str(fault).startswith(f"{path}:3: '\\r0': unknown field")
    assert (fault.file, fault.line, fault.field) == (str(path), 3, "'\\r0'")


def test_a_token_among_the_arguments_is_refused_and_not_repeated(tmp_path: Path) -> None:
    path, token = tmp_path / "x.yaml", f"hf_{'aB3' * 11}"
    path.write_text(f"name: x\nmodel: {{id: a/b}}\nserving: {{extra_args: [--hf-token={token}]}}\n")
    with pytest.raises(ConfigError, match=r"serving.extra_args\[0\]: holds what looks like a token") as raised:
        load_deployment(path)
    assert token not in str(raised.value)


@pytest.mark.parametrize("ttl", ["8", "1w", "10m", "400d", "forever"])
def test_a_time_to_live_that_cannot_be_is_told_with_its_field(tmp_path: Path, ttl: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f'name: x\nmodel: {{id: a/b}}\nttl: "{ttl}"\n')
    with pytest.raises(ConfigError, match=rf"{path}:3: ttl: must be a time to live from 30m to 365d"):
        load_deployment(path)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [touch marker]", "!!python/name:os.system", "!x y"])
def test_yaml_makes_no_objects(tmp_path: Path, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.yaml"
    path.write_text(f"name: {tag}\nmodel: {{id: a/b}}\n")
    with pytest.raises(ConfigError, match=rf"{path}:1: "):
        load_deployment(path)
    assert not (tmp_path / "marker").exists()
