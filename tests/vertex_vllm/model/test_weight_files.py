"""The index of a sharded model, and names out of listings."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.errors import HubAccessError, InputError, PlanError, RevisionNotFoundError
from vertex_vllm.hub.file_listing import HubFile, check_file
from vertex_vllm.hub.hub_names import check_commit, check_model_id
from vertex_vllm.mirror.needed_files import Selection, select_files
from vertex_vllm.model.weight_files import parse_index, weight_files


def test_the_files_of_an_index() -> None:
    index = {"metadata": {"total_size": 9}, "weight_map": {"a": "model-1.safetensors", "b": "model-1.safetensors"}}
    assert parse_index(json.dumps(index).encode(), "index.json") == index["weight_map"]


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"{", "index.json"),
        (b"[]", "index.json"),
        (b"[" * 100_000, "index.json"),
        (b"{}", "index.json: weight_map"),
        (b'{"weight_map": {}}', "index.json: weight_map"),
        (b'{"weight_map": {"a": 1}}', "index.json: weight_map"),
        (b'{"weight_map": {"a": ["x"], "b": "y"}}', "index.json: weight_map"),
    ],
)
def test_an_unusable_index_is_named(data: bytes, where: str) -> None:
    with pytest.raises(PlanError) as raised:
        parse_index(data, "index.json")
    assert raised.value.where == where


def test_an_index_may_not_name_what_is_not_there() -> None:
    with pytest.raises(PlanError, match=r"'\.\./\.\./secret'"):
        weight_files([HubFile("model-1.safetensors", 1, "a" * 64, "b" * 40)], ["model-1.safetensors", "../../secret"])


def file(path: str) -> HubFile:
    return HubFile(path, 1, "a" * 64, "b" * 40)


@pytest.mark.parametrize(
    ("paths", "lacking"),
    [
        (["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"], "model-00002-of-00003.safetensors"),
        (["pytorch_model-00002-of-00002.bin"], "pytorch_model-00001-of-00002.bin"),
    ],
)
def test_a_shard_that_is_not_there_is_missed_without_an_index(paths: list[str], lacking: str) -> None:
    with pytest.raises(PlanError, match=f"lacks {lacking!r}") as raised:
        select_files([file(path) for path in paths], [])
    assert raised.value.missing == (lacking,)
    assert select_files([file(path) for path in paths], [], Selection(include=("*",)))


def test_whole_shards_need_no_index() -> None:
    paths = ["a-00001-of-00002.safetensors", "a-00002-of-00002.safetensors", "b-00001-of-00001.safetensors"]
    assert [each.path for each in select_files([file(path) for path in paths], [])] == paths


def test_all_names_that_cannot_be_copied_are_told_at_once() -> None:
    odd = ["a\\b.json", "c\nd.json", "e\u202ef.json", "g\th.json"]
    with pytest.raises(HubAccessError, match="4 files with an unusable path") as raised:
        select_files([file(path) for path in (*odd, "model.safetensors")], [])
    assert raised.value.where == r"'a\\b.json', 'c\nd.json', 'e\u202ef.json', …"
    chosen = select_files(
        [file(path) for path in (*odd, "model.safetensors")], [], Selection(exclude=("[a-h]?*.json",))
    )
    assert [each.path for each in chosen] == ["model.safetensors"]


@given(st.binary(max_size=100))
def test_any_bytes_give_names_or_our_error(data: bytes) -> None:
    try:
        names = parse_index(data, "index.json")
    except PlanError as error:
        fault = error.where
    else:
        fault = ""
        assert all(isinstance(name, str) for name in names.values())
    assert not fault or fault.startswith("index.json")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../config.json",
        "a/../../config.json",
        "a//b",
        "a/",
        ".",
        "a\\b",
        "a\nb",
        "a\x00b",
        "x" * 701,
        # Look-alikes of dots and slashes, and characters that are invisible or reverse the text's direction.
        "．．/config.json",
        "․․/config.json",
        "a／..／config.json",
        "..／config.json",
        "a＼b",
        "a\u202egnp.exe",
        "a\u200b/b",
        "a\ud800",
    ],
)
def test_a_file_with_an_unsafe_path_cannot_be_selected(path: str) -> None:
    files = [HubFile("config.json", 1, "", "b" * 40), HubFile(path, 1, "", "b" * 40)]
    with pytest.raises(HubAccessError, match="unusable path"):
        select_files(files, (), Selection(include=("*",)))
    assert select_files(files, (), Selection(include=("config.json",))) == (files[0],)


@pytest.mark.parametrize(
    ("size", "sha256", "git_oid", "field"),
    [(-1, "", "b" * 40, "size"), (1, "A" * 64, "b" * 40, "LFS oid"), (1, "", "", "git oid")],
)
def test_a_file_that_cannot_be_verified_cannot_be_selected(size: int, sha256: str, git_oid: str, field: str) -> None:
    files = [HubFile("README.md", size, sha256, git_oid), HubFile("config.json", 1, "", "b" * 40)]
    assert select_files(files, (), Selection(include=("*.json",))) == (files[1],)
    with pytest.raises(HubAccessError, match=field):
        select_files(files, (), Selection(include=("*",)))


@pytest.mark.parametrize("model_id", ["meta-llama/Llama-3.1-8B-Instruct", "01-ai/Yi-6B", "a/b", "org/x_y.z"])
def test_model_ids(model_id: str) -> None:
    assert check_model_id(model_id) == model_id


@pytest.mark.parametrize(
    "model_id", ["Llama-3.1-8B", "", "a/b/c", "a/..", "../b", "a/b?x", "a b/c", "a/b--c", "-a/b", "a/" + "b" * 96]
)
def test_what_is_no_model_id(model_id: str) -> None:
    with pytest.raises(InputError, match="OWNER/NAME"):
        check_model_id(model_id)


@pytest.mark.parametrize("commit", ["main", "0" * 39, "0" * 41, "G" * 40, "0" * 40 + "\n"])
def test_a_branch_is_no_commit(commit: str) -> None:
    with pytest.raises(RevisionNotFoundError):
        check_commit(commit)


def test_a_file_named_in_another_script_is_a_file_like_any_other() -> None:
    assert check_file(HubFile("模型/größe-ﬁne.json", 1, "", "b" * 40)).path == "模型/größe-ﬁne.json"
