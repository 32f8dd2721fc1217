"""The programs that read a version of vLLM into the catalogue's tables, and the tables that they have written."""

from pathlib import Path

import pytest
import yaml

from benchmarks.architectures import PAGE, table
from benchmarks.argument_verdicts import generated, plan_verdict
from tools.read_vllm import requirement
from tools.version_tables import ARGUMENTS, QUANTIZATIONS, read_table, with_version, write_flags, write_table
from tools.vllm_architectures import ARCHITECTURES, read_architectures, read_removed, with_architectures
from tools.vllm_quantizations import read_quantizations, read_refusing_float16, resolves_auto_dtype
from vertex_vllm.catalog import load_catalog
from vertex_vllm.catalog.argument_table import argument_table
from vertex_vllm.vllm_versions import version_key

METHODS = """
QuantizationMethods = Literal["fp8", "awq", "fp8_per_block"]


def get_quantization_config(quantization):
    method_to_config = {"fp8": Fp8Config, "awq": AWQConfig}
    return method_to_config[quantization]
"""
FP8 = """
class Fp8Config(QuantizationConfig):
    @classmethod
    def get_min_capability(cls) -> int:
        return 89

    @classmethod
    def get_supported_act_dtypes(cls):
        return [torch.bfloat16, torch.half]


class AWQConfig(Fp8Config):
    def get_supported_act_dtypes(self):
        return [torch.half]
"""
MODELOPT = """
LINEAR_ALGOS: dict[str, str] = {"FP8": "modelopt", "NVFP4": "modelopt_fp4"}
QUANT_ALGOS = [*LINEAR_ALGOS, "MIXED_PRECISION"]
"""
SCHEME = """
class CompressedTensorsW8A8Int8(CompressedTensorsScheme):
    def get_min_capability(cls):
        return 75
"""
CONFIG = """
_FLOAT16_NOT_SUPPORTED_MODELS = {"gemma2": "Numerical instability."}


def _resolve_auto_dtype(): ...
"""


REGISTRY = """
_TEXT_GENERATION_MODELS = {
    "LlamaForCausalLM": ("llama", "LlamaForCausalLM"),
    "NewForCausalLM": ("new", "NewForCausalLM"),
}
_MULTIMODAL_MODELS: dict[str, tuple[str, str]] = {"NewForConditionalGeneration": ("new_vl", "New")}
_REWARD_MODELS = {"NewRewardModel": ("new", "NewRewardModel"), "NewForCausalLM": ("new", "NewForCausalLM")}
_SPECULATIVE_DECODING_MODELS = {"EagleNewForCausalLM": ("eagle", "Eagle")}
_PREVIOUSLY_SUPPORTED_MODELS = {"ZambaForCausalLM": "9.9.0"}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An unpacked wheel with the files that the readers read."""
    folder = tmp_path / "vllm" / "model_executor" / "layers" / "quantization"
    for path, text in {
        folder / "__init__.py": METHODS,
        folder / "fp8.py": FP8,
        folder / "modelopt.py": MODELOPT,
        folder / "compressed_tensors" / "schemes" / "compressed_tensors_w8a8_int8.py": SCHEME,
        tmp_path / "vllm" / "config" / "model.py": CONFIG,
        tmp_path / "vllm" / "model_executor" / "models" / "registry.py": REGISTRY,
        tmp_path / "vllm-9.9.9.dist-info" / "METADATA": "Requires-Dist: transformers<5,>=4.56.0\n",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_limits_are_read_from_the_classes(source: Path) -> None:
    assert read_quantizations(source) == {
        "awq": {"capability": "8.9", "dtypes": ["float16"]},
        "compressed-tensors/w8a8_int8": {"capability": "7.5", "dtypes": []},
        "fp8": {"capability": "8.9", "dtypes": ["bfloat16", "float16"]},
        "fp8_per_block": {"capability": "", "dtypes": []},
        **{f"modelopt/{name}": {"capability": "", "dtypes": []} for name in ("FP8", "MIXED_PRECISION", "NVFP4")},
    }
    assert read_refusing_float16(source) == ["gemma2"]
    assert resolves_auto_dtype(source)
    assert requirement(source, "transformers") == "<5,>=4.56.0"


@pytest.mark.parametrize("place", [ARGUMENTS, QUANTIZATIONS], ids=lambda place: place.stem)
def test_a_table_is_written_as_it_is_read(place: Path, tmp_path: Path) -> None:
    copy = tmp_path / place.name
    write_table(place, read_table(place), copy)
    assert read_table(place, copy) == read_table(place)


def test_a_version_is_put_in_its_place_and_changes_no_other() -> None:
    shipped = read_table(ARGUMENTS)
    rows = {"--seed": {"takes": "text"}}
    more = with_version(shipped, "0.13.5", {"arguments": rows, "parsers": {}})
    assert more["checked"] == sorted([*shipped["checked"], "0.13.5"], key=version_key)
    assert more["arguments"]["0.13.5"] == rows
    assert all(more["arguments"][version] == shipped["arguments"][version] for version in shipped["checked"])


def test_flags_are_drawn_from_the_table_of_arguments(tmp_path: Path) -> None:
    shipped = ARGUMENTS.with_name("flags.yaml").read_text(encoding="utf-8")
    copy = tmp_path / "flags.yaml"
    copy.write_text(shipped, encoding="utf-8")
    write_flags(read_table(ARGUMENTS), copy)
    assert copy.read_text(encoding="utf-8") == shipped


def test_every_image_has_a_version_whose_arguments_were_read() -> None:
    read = argument_table()
    ranges = [image.versions for image in load_catalog().images.values() if image.versions]
    assert [str(each) for each in ranges if not any(map(each.holds, read.checked))] == ["0.6.4.post1"] * 2


def test_generated_lists_are_taken_or_refused_and_half_of_them_are_wrong() -> None:
    lists = generated(argument_table(), "0.13.0")
    verdicts = [plan_verdict(arguments, "0.13.0") for arguments in lists]
    assert len(lists) == 300
    assert 100 < sum(bool(verdict) for verdict in verdicts) < 200
    # Of the right ones a few lack a partner that the server wants beside them.
    assert sum(bool(verdict) for verdict in verdicts[::2]) < 10


@pytest.mark.parametrize("version", ["0.9.2", "0.26.0", "0.33.0"])
def test_each_option_of_a_version_is_in_some_list(version: str) -> None:
    written = " ".join(
        text.replace("_", "-") for arguments in generated(argument_table(), version) for text in arguments
    )
    options = [name for name in argument_table().arguments if argument_table().takes(name, version) is not None]
    assert [name for name in options if name != "--help" and name.removeprefix("--") not in written] == []


def test_the_page_shows_what_the_plan_says_of_public_architectures() -> None:
    shown = table()
    assert shown in PAGE.read_text(encoding="utf-8")
    assert shown.count("\n") > 60


def test_architectures_are_read_from_the_registry(source: Path) -> None:
    """Drafts of speculative decoding are no models to serve; a table of models that generate comes first."""
    assert read_architectures(source) == {
        "LlamaForCausalLM": "text",
        "NewForCausalLM": "text",
        "NewForConditionalGeneration": "images",
        "NewRewardModel": "pooling",
    }
    assert read_removed(source) == {"ZambaForCausalLM": "9.9.0"}
    assert read_architectures(source / "nowhere") == {}


def test_a_new_version_adds_to_the_table_of_architectures() -> None:
    text = ARCHITECTURES.read_text(encoding="utf-8")
    found = {"LlamaForCausalLM": "text", "NewForCausalLM": "text"}
    before, after = (
        {row["architecture"]: row for row in yaml.safe_load(each)["architectures"]}
        for each in (text, with_architectures(text, "9.9.9", found, {"MptForCausalLM": "9.9.8"}))
    )
    changed = {name: row for name, row in after.items() if row != before.get(name)}
    assert changed == {
        "LlamaForCausalLM": {**before["LlamaForCausalLM"], "last": "9.9.9"},
        "MptForCausalLM": {**before["MptForCausalLM"], "removed_after": "9.9.8"},
        "NewForCausalLM": {
            **{"architecture": "NewForCausalLM", "takes": "text", "first": "9.9.9", "last": "9.9.9"},
            "source": ["vllm-code"],
        },
    }
    assert with_architectures(text, "0.32.0", {}, {}) == text
