"""The demo's models in the cache; the first test on a machine builds them."""

import json
import math
import struct
import sys
from pathlib import Path

import pytest

from vertex_vllm.local.demo_models import build

_TOKENIZER_FILES = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
_COMMON_FILES = {"README.md", "LICENSE", "config.json", "generation_config.json", *_TOKENIZER_FILES}


@pytest.fixture(scope="module")
def models() -> dict[str, Path]:
    return build.ensure()


def test_the_text_model_is_an_ordinary_repository_in_two_files(models):
    folder = models["HuggingFaceTB/SmolLM2-135M-Instruct"]
    shards = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}
    assert _names(folder) == {*_COMMON_FILES, *shards, "model.safetensors.index.json"}
    config = json.loads((folder / "config.json").read_text())
    assert (config["architectures"], config["max_position_embeddings"]) == (["LlamaForCausalLM"], 8192)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == shards
    assert sum(_numbers(folder / shard) for shard in shards) == 134_515_008


def test_the_image_model_has_a_vision_tower_and_says_that_it_cannot_see(models):
    folder = models["vertex-vllm/SmolLM2-135M-Idefics3-demo"]
    assert _names(folder) == {*_COMMON_FILES, "model.safetensors", "processor_config.json"}
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["Idefics3ForConditionalGeneration"]
    assert config["vision_config"]["hidden_size"] == 64
    assert "random and untrained" in (folder / "README.md").read_text()


def test_nothing_tells_where_they_were_made(models):
    places = [str(Path.home()), str(next(iter(models.values())).parents[1]), "/tmp"]
    for folder in models.values():
        for path in folder.glob("*.json"):
            text = path.read_text()
            assert not any(place in text for place in places), path


def test_a_second_call_builds_nothing(models):
    lines: list[str] = []
    assert build.ensure(lines.append) == models
    assert lines == []


def test_another_recipe_would_be_built_anew(models, tmp_path, monkeypatch):
    changed = tmp_path / "demo_models" / "recipe.py"
    changed.parent.mkdir()
    changed.write_text(build._RECIPE.read_text())
    monkeypatch.setattr(build, "_RECIPE", changed)
    assert build.ensure() == models
    changed.write_text(build._RECIPE.read_text() + "\n")

    def stop(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt, match="Building the demo's models"):
        build.ensure(stop)


def test_what_a_recipe_leaves_in_its_temporary_folder_goes_with_it(tmp_path, monkeypatch):
    """torch makes a folder there for what it compiles."""
    recipe = tmp_path / "recipe.py"
    recipe.write_text("import tempfile\nprint(tempfile.mkdtemp())\n")
    monkeypatch.setattr(build, "_RECIPE", recipe)
    work, lines = tmp_path / "work", []
    work.mkdir()
    build._follow_recipe(Path(sys.executable), work, tmp_path / "repositories", lines.append)
    assert Path(lines[0].strip()).parent == work


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _numbers(path: Path) -> int:
    """How many numbers a safetensors file holds, by its header."""
    with path.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    shapes = [tensor["shape"] for name, tensor in header.items() if name != "__metadata__"]
    return sum(math.prod(shape) for shape in shapes)
