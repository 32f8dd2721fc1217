"""Adapters in Cloud Storage are compared with the model before anything is rented."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage

from tests.e2e.provoked import edit_json, write_adapter
from vertex_vllm.catalog import load_catalog
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.serving.adapter_check import check_adapters

CATALOG = load_catalog()
_FACTS = CATALOG.facts("meta-llama/Llama-3.1-8B-Instruct")
assert isinstance(_FACTS, ModelFacts)
FACTS = replace(_FACTS, model_id="org/base")


class Adapters:
    """A bucket with adapters of several base models."""

    def __init__(self, project: str, folder: Path) -> None:
        self.project, self._folder = project, folder
        self._bucket = storage.Client(project=project).create_bucket(f"adapters-{uuid.uuid4().hex[:8]}")

    def of_width(self, width: int, **config: Any) -> str:
        """gs:// address of an adapter of rank 8; `config`: changed fields of adapter_config.json."""
        folder = write_adapter(self._folder / uuid.uuid4().hex[:6], width)
        edit_json("adapter_config.json", base_model_name_or_path="org/other", **config)(folder)
        for path in folder.iterdir():
            self._bucket.blob(f"{folder.name}/{path.name}").upload_from_filename(str(path))
        return f"gs://{self._bucket.name}/{folder.name}"

    def check(self, *arguments: str) -> None:
        check_adapters(["--enable-lora", *arguments], FACTS, self.project, CATALOG)


@pytest.fixture
def adapters(cloud: Any, project: str, tmp_path: Path) -> Adapters:
    return Adapters(project, tmp_path)


def test_an_adapter_of_the_model_passes(adapters: Adapters) -> None:
    own = adapters.of_width(FACTS.shape.hidden_size)
    adapters.check(f"--lora-modules=sql={own}")
    adapters.check("--lora-modules", f'{{"name": "sql", "path": "{own}"}}', "other=/in/the/container")


@pytest.mark.parametrize("width", [64, 8192], ids=["narrower, which vLLM serves", "wider, which vLLM refuses"])
def test_an_adapter_of_another_base_is_refused_by_name(adapters: Adapters, width: int) -> None:
    other = adapters.of_width(width)
    with pytest.raises(PlanError) as raised:
        adapters.check("--lora-modules", f"other={other}")
    assert str(raised.value).startswith(
        f"serving.extra_args, --lora-modules: {other} (an adapter of org/other) does not fit org/base: "
    )
    assert f"made for a hidden size of {width}, and the model's is 4096" in str(raised.value)


def test_a_rank_above_the_limit_names_the_next_one_that_vllm_takes(adapters: Adapters) -> None:
    large = adapters.of_width(FACTS.shape.hidden_size, r=48)
    with pytest.raises(PlanError, match=r"has rank 48, and vLLM takes up to 16 .*Add --max-lora-rank=64"):
        adapters.check(f"--lora-modules=large={large}")
    adapters.check(f"--lora-modules=large={large}", "--max-lora-rank=64")


def test_a_folder_without_an_adapter_is_refused(adapters: Adapters) -> None:
    own = adapters.of_width(FACTS.shape.hidden_size)
    with pytest.raises(PlanError, match=r"has no adapter_config\.json"):
        adapters.check(f"--lora-modules=sql={own}/elsewhere")
