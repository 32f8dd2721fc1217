"""An index that does not fit its shards: a mirror with it is not published, a plan doubts the model."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.vertex_vllm.mirror.conftest import MANIFEST, SMALL_STEPS, SharedModel
from vertex_vllm.errors import PlanError
from vertex_vllm.hub.access import check_access
from vertex_vllm.hub.repository_facts import read_facts
from vertex_vllm.mirror import Selection, destination, mirror_weights
from vertex_vllm.mirror.needed_files import EVERYTHING_NEEDED

INDEX = "model.safetensors.index.json"
FIRST, SECOND, THIRD = (f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3))
HELD = {FIRST: ["embed"], SECOND: ["layers", "norm"], THIRD: ["head"]}
# Tensors by file, as the index has them; the mirror's error, if any; the plan's doubt.
INDEXES: dict[str, tuple[dict[str, list[str]], str, str]] = {
    "right": (HELD, "", ""),
    "tensors in one another's files": ({FIRST: ["head"], SECOND: ["embed", "norm"], THIRD: ["layers"]}, "", ""),
    "not all tensors": ({FIRST: ["embed"], SECOND: ["norm"], THIRD: ["head"]}, "", ""),
    "a tensor too many": (
        {**HELD, FIRST: ["embed", "bias"]},
        "names tensor 'bias', which none of its files holds",
        "the index names tensor 'bias', which none of its files holds",
    ),
    "an index of another model": (
        {FIRST: ["a"], SECOND: ["b"], THIRD: ["c"]},
        "names 3 tensors, among them 'a', which none of its files holds",
        "the index names 3 tensors, among them 'a', which none of its files holds",
    ),
    "not all shards": (
        {FIRST: ["embed"], SECOND: ["layers", "norm"]},
        f"leaves out {THIRD!r}",
        f"the index leaves out {THIRD}",
    ),
}


@pytest.fixture
def files(llama: dict[str, bytes], safetensors: Callable[..., bytes]) -> dict[str, bytes]:
    shards = {path: safetensors(**dict.fromkeys(names, 100)) for path, names in HELD.items()}
    return {"config.json": llama["config.json"], **shards}


def indexed(by_file: dict[str, list[str]]) -> bytes:
    return json.dumps({"weight_map": {name: path for path, names in by_file.items() for name in names}}).encode()


@pytest.mark.parametrize("name", INDEXES)
def test_what_an_index_says_of_its_shards(
    name: str, files: dict[str, bytes], local: Any, shared_model: SharedModel, project: str
) -> None:
    by_file, fault, doubt = INDEXES[name]
    model_id = local.repo({**files, INDEX: indexed(by_file)})
    commit = check_access(model_id, "main", None).commit
    place = destination(shared_model.bucket, model_id, commit)

    def mirror(selection: Selection = EVERYTHING_NEEDED) -> None:
        mirror_weights(model_id, commit, None, place, project, selection=selection, transfer=SMALL_STEPS)

    assert [each for each in read_facts(model_id, commit, None).doubts if "index" in each] == ([doubt] if doubt else [])
    if fault:
        with pytest.raises(PlanError) as raised:
            mirror()
        assert raised.value.message == f"{fault}; nothing of it was published"
        assert MANIFEST not in shared_model.objects(place)
        assert f"--exclude {INDEX}" in raised.value.fix or "--exclude *.index.json" in raised.value.fix
        mirror(Selection(exclude=("*.index.json",)))
        assert shared_model.objects(place).keys() >= files.keys()
    else:
        mirror()


def test_a_tensor_in_several_files_is_doubted(
    files: dict[str, bytes], safetensors: Callable[..., bytes], local: Any
) -> None:
    index = indexed({**HELD, SECOND: ["layers"]})
    model_id = local.repo({**files, SECOND: safetensors(layers=100, embed=50), INDEX: index})
    facts = read_facts(model_id, check_access(model_id, "main", None).commit, None)
    assert any(each.startswith("several files hold tensor 'embed'; ") for each in facts.doubts)
