"""The Hub through the real client: access, lists of files, and their content."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config import Deployment
from vertex_vllm.errors import (
    InputError,
    LicenseNotAcceptedError,
    PlanError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    ServiceError,
    TokenInvalidError,
    TokenMissingError,
)
from vertex_vllm.hub.access import Access, check_access
from vertex_vllm.hub.file_listing import list_files
from vertex_vllm.hub.repository_facts import read_facts
from vertex_vllm.model.facts import ModelFacts, TensorGroup
from vertex_vllm.model.transformer import Transformer
from vertex_vllm.planning.planner import plan_serving

CONFIG = b'{"architectures": ["LlamaForCausalLM"]}'
UNKNOWN = "hf_canaryThatNobodyGave"


def told(error: BaseException) -> str:
    """Every text of an error that a program could print."""
    return f"{error!s} {error!r} {error.__cause__!r} {error.__context__!r}"


def test_a_public_model_needs_no_token(local: Any) -> None:
    model_id = local.repo({"config.json": CONFIG})
    found = check_access(model_id, "main", None)
    assert (found.user, found.gated, len(found.commit)) == ("", False, 40)


def test_a_revision_is_pinned_to_its_commit(local: Any) -> None:
    model_id = local.repo({"config.json": CONFIG})
    found = check_access(model_id, "", None)
    assert check_access(model_id, found.commit, None) == found


def test_an_account_that_was_let_in(local: Any) -> None:
    model_id = local.repo({"config.json": CONFIG}, gated=True)
    token = local.token(model_id)
    found = check_access(model_id, "main", token)
    assert found == Access("some-user", found.commit, True)


def test_no_token_for_a_gated_model(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model_id = local.repo({"config.json": CONFIG}, gated=True)
    # A token in the environment must not be used.
    monkeypatch.setenv("HF_TOKEN", local.token(model_id))
    with pytest.raises(TokenMissingError, match=f"https://huggingface.co/{model_id}.*hf_token_secret"):
        check_access(model_id, "main", None)


def test_a_licence_that_was_not_accepted(local: Any) -> None:
    model_id = local.repo({"config.json": CONFIG}, gated=True)
    token = local.token()
    with pytest.raises(LicenseNotAcceptedError, match=f"https://huggingface.co/{model_id} with that account") as raised:
        check_access(model_id, "main", token)
    assert token not in told(raised.value)


def test_a_token_that_nobody_gave(local: Any) -> None:
    model_id = local.repo({"config.json": CONFIG})
    with pytest.raises(TokenInvalidError, match="settings/tokens") as raised:
        check_access(model_id, "main", UNKNOWN)
    assert UNKNOWN not in told(raised.value)


@pytest.mark.parametrize("token", ["canary secret", "canary\n", "canary\u00e4", " "])
def test_a_token_that_no_header_can_hold_is_not_told(local: Any, token: str) -> None:
    with pytest.raises(TokenInvalidError) as raised:
        check_access(local.repo({"config.json": CONFIG}), "main", token)
    assert "canary" not in told(raised.value)


@pytest.mark.parametrize("with_token", [False, True])
def test_a_model_that_is_not_there(local: Any, with_token: bool) -> None:
    with pytest.raises(RepositoryNotFoundError, match="nobody/nothing"):
        check_access("nobody/nothing", "main", local.token() if with_token else None)


def test_a_revision_that_is_not_there(local: Any) -> None:
    model_id = local.repo({"config.json": CONFIG})
    with pytest.raises(RevisionNotFoundError, match="no revision 'v2'"):
        check_access(model_id, "v2", None)


def test_a_model_id_without_owner(local: Any) -> None:
    with pytest.raises(InputError, match="OWNER/NAME"):
        check_access("Llama-3.1-8B", "main", None)


@pytest.mark.usefixtures("cloud")  # the environment names its authorities
def test_offline_mode_is_named() -> None:
    """In a process of its own: huggingface_hub reads the variable when it is imported."""
    code = "from vertex_vllm.hub.access import check_access; check_access('org/model', 'main', None)"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (
        done.stderr.splitlines()[-1] == "vertex_vllm.errors.HubAccessError: org/model: HF_HUB_OFFLINE is set. Unset it."
    )


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def test_the_token_is_not_logged(
    local: Any, llama: dict[str, bytes], everything_logged: pytest.LogCaptureFixture
) -> None:
    model_id = local.repo(llama, gated=True)
    token = local.token(model_id)
    read_facts(model_id, check_access(model_id, "main", token).commit, token)
    assert everything_logged.records
    assert token not in everything_logged.text


def test_files_are_listed_with_what_they_are_verified_against(local: Any, llama: dict[str, bytes]) -> None:
    model_id = local.repo(llama)
    files = list_files(model_id, check_access(model_id, "main", None).commit, None)
    # A Hub repository may contain .gitattributes.
    listed = {file.path: file for file in files if file.path != ".gitattributes"}
    assert {path: file.size for path, file in listed.items()} == {path: len(data) for path, data in llama.items()}
    assert [path for path, file in listed.items() if file.sha256 and path.endswith(".json")] == []
    assert all(file.sha256 for path, file in listed.items() if path.endswith(".safetensors"))


def test_facts_of_a_sharded_model(local: Any, llama: dict[str, bytes]) -> None:
    model_id = local.repo(llama, gated=True)
    token = local.token(model_id)
    commit = check_access(model_id, "main", token).commit
    assert read_facts(model_id, commit, token) == ModelFacts(
        model_id=model_id,
        commit=commit,
        dtype="bfloat16",
        quantization="",
        parameters=20_001_011,
        weight_bytes=40_002_022,
        chat_template=True,
        custom_code=False,
        gated=True,
        source="Hub",
        shape=Transformer(
            architecture="LlamaForCausalLM",
            vocabulary=0,
            hidden_size=576,
            intermediate_size=0,
            layers=30,
            attention_heads=9,
            key_value_heads=3,
            head_size=64,
            context_length=8192,
            tied_embeddings=False,
            missing=("config.json: vocab_size", "config.json: intermediate_size"),
        ),
        groups=(TensorGroup("other", "BF16", 20_001_011, 40_002_022),),
        model_type=json.loads(llama["config.json"]).get("model_type", ""),
        text_model_type=json.loads(llama["config.json"]).get("model_type", ""),
        positions=8192,
        tokenizer="transformers",
        mistral_parts=(),
        chat_marks=(),
    )


def test_facts_of_a_model_with_a_header_longer_than_the_first_read(
    local: Any, llama: dict[str, bytes], safetensors: Callable[..., bytes]
) -> None:
    many = {f"model.layers.{number}.mlp.down_proj.weight": 2 for number in range(3_000)}
    model_id = local.repo({"config.json": llama["config.json"], "model.safetensors": safetensors(**many)})
    found = read_facts(model_id, check_access(model_id, "main", None).commit, None)
    assert (found.parameters, found.weight_bytes, found.chat_template) == (6_000, 12_000, False)


def test_facts_of_a_model_with_pickled_weights_come_from_their_sizes(local: Any, llama: dict[str, bytes]) -> None:
    model_id = local.repo({"config.json": llama["config.json"], "pytorch_model.bin": bytes(2_000)})
    found = read_facts(model_id, check_access(model_id, "main", None).commit, None)
    assert (found.parameters, found.weight_bytes) == (1_000, 2_000)


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"model.safetensors": b"x"}, "config.json"),
        ({"config.json": b"{", "model.safetensors": bytes(64)}, "config.json"),
        ({"config.json": CONFIG, "model.safetensors": bytes(64)}, "model.safetensors"),
        ({"config.json": CONFIG, "model.gguf": bytes(64)}, "*.gguf"),
        ({"config.json": b"{}", "pytorch_model.bin": bytes(64)}, "config.json: architectures"),
    ],
)
def test_a_model_that_cannot_be_planned_for_names_the_file(local: Any, files: dict[str, bytes], where: str) -> None:
    model_id = local.repo(files)
    with pytest.raises(PlanError) as raised:
        read_facts(model_id, check_access(model_id, "main", None).commit, None)
    assert raised.value.where == where


@pytest.mark.usefixtures("cloud")
def test_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from vertex_vllm.hub import hub_client

    monkeypatch.setattr(hub_client, "_PATIENCE", 0)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:9 does not answer"):
        check_access("org/model", "main", None)


HOSTILE = "{{ cycler.__init__.__globals__.os.system('touch marker') }}{% include 'x' %}"
HOSTILE_CODE = b"open('marker', 'w').close()\n"


@pytest.mark.parametrize("trusted", [False, True])
def test_no_code_of_a_repo_runs_when_it_is_planned(
    local: Any, llama: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    """Planning executes neither the repo's Python files nor its chat template, with and without consent to its code."""
    monkeypatch.chdir(tmp_path)
    config = {**json.loads(llama["config.json"]), "auto_map": {"AutoConfig": "configuration_x.Config"}}
    files = {
        **llama,
        "config.json": json.dumps(config).encode(),
        "configuration_x.py": HOSTILE_CODE,
        "chat_template.jinja": HOSTILE.encode(),
        "tokenizer_config.json": json.dumps({"chat_template": HOSTILE, "auto_map": {"AutoTokenizer": "x.T"}}).encode(),
        "README.md": b"---\nlicense: !!python/object/apply:os.system ['touch marker']\n---\n",
    }
    model_id = local.repo(files)
    facts = read_facts(model_id, check_access(model_id, "main", None).commit, None)
    assert facts.custom_code
    values = {"name": "x", "model": {"id": model_id}, "serving": {"trust_remote_code": trusted}}
    with nullcontext() if trusted else pytest.raises(PlanError, match="brings Python code of its own"):
        plan_serving(facts, Deployment.model_validate(values), load_catalog())
    assert not list(tmp_path.rglob("marker"))
