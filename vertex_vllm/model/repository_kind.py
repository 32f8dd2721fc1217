"""Repositories that hold something other than a model with which vLLM generates text, recognised by their files."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from vertex_vllm.errors import PlanError
from vertex_vllm.model.file_reader import AnyFile

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model*"
# mistral-common's tokenizers: tekken.json, and sentencepiece models that name their version.
MISTRAL_TOKENIZERS = ("tekken.json", "tokenizer.model.v*")
_OTHER_TOKENIZERS = ("tokenizer.json", "tokenizer.model")
_ORIGINAL = ("consolidated.*.pth",)
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth")


def is_adapter_file(path: str) -> bool:
    """Files of a LoRA adapter, which are not a model's weights."""
    return fnmatchcase(path.rpartition("/")[2], ADAPTER_WEIGHTS)


def check_kind(listing: Sequence[AnyFile], adapter: Mapping[str, object] | None) -> None:
    """Raises PlanError that names an adapter, GGUF or diffusers repository for what it is, with what to do instead."""
    top = {file.path for file in listing if "/" not in file.path}
    weights = [path for path in top if _matches(path, _WEIGHTS) and not is_adapter_file(path)]
    if adapter is not None and not weights:
        raise _adapter(adapter)
    if "model_index.json" in top:
        raise PlanError(
            "the repository holds a diffusers pipeline, which makes images and is not served by vLLM here",
            where="model_index.json",
            fix="Choose a repository with a model that generates text",
        )
    if "config.json" not in top and any(_matches(path, _ORIGINAL) for path in top):
        raise PlanError(
            "the repository holds Meta's original checkpoints (consolidated.*.pth), which vLLM does not read",
            where="consolidated.*.pth",
            fix="Choose the repository in transformers' format, for example the one whose name ends with -hf",
        )
    if not weights and any(path.lower().endswith(".gguf") for path in top):
        raise PlanError(
            "the repository holds GGUF files alone, which are made for llama.cpp and are not served here",
            where="*.gguf",
            fix="Choose the repository that they were made from: its card names it as base model",
        )


def is_mistral_common(listing: Sequence[AnyFile]) -> bool:
    """The tokenizer is one of mistral-common's alone, and params.json is in the place of config.json."""
    top = {file.path for file in listing}
    mistral = any(_matches(path, MISTRAL_TOKENIZERS) for path in top)
    return mistral and "params.json" in top and not top & set(_OTHER_TOKENIZERS)


def _adapter(adapter: Mapping[str, object]) -> PlanError:
    base = adapter.get("base_model_name_or_path")
    named = base if isinstance(base, str) and base.isprintable() and base else ""
    of_model = f" of {named}" if named else ""
    return PlanError(
        f"the repository holds an adapter ({adapter.get('peft_type') or 'PEFT'}){of_model}, not a model",
        where=ADAPTER_CONFIG,
        fix=f"Serve {named or 'its base model'}, or a repository that the adapter was merged into",
    )


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
