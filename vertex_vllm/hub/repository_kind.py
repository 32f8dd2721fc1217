"""Repositories that hold something else than a model that vLLM generates text with, told by their files."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from vertex_vllm.errors import PlanError
from vertex_vllm.hub.files import AnyFile

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model*"
# mistral-common's tokenizers: tekken.json, and sentencepiece models that name their version.
MISTRAL_TOKENIZERS = ("tekken.json", "tokenizer.model.v*")
_OTHER_TOKENIZERS = ("tokenizer.json", "tokenizer.model")
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth")
# vLLM `_SUFFIX_TO_DEFAULTS` (config/model.py of 0.11.0 to 0.26.0): class names of models that do not generate.
_POOLING_SUFFIXES = (
    *("ForTextEncoding", "EmbeddingModel", "ForSequenceClassification", "ForTokenClassification"),
    *("ForAudioClassification", "ForImageClassification", "ForVideoClassification", "ClassificationModel"),
    *("ForRewardModeling", "RewardModel"),
)


def is_adapter_file(path: str) -> bool:
    """Files of a LoRA adapter, which are no weights of a model."""
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


def pooling_reason(architecture: str, modules: Sequence[object] | None) -> str:
    """Why vLLM would run the model as one that embeds, ranks or classifies; empty: it generates text.

    `modules` is modules.json of sentence-transformers, where there is one (`get_pooling_config`).
    """
    if modules is not None and any(_is_pooling(module) for module in modules):
        return "modules.json of sentence-transformers has a pooling module"
    suffix = next((suffix for suffix in _POOLING_SUFFIXES if architecture.endswith(suffix)), "")
    return f"its class {architecture} ends with {suffix}" if suffix else ""


def _is_pooling(module: object) -> bool:
    kind = module.get("type") if isinstance(module, dict) else None
    return isinstance(kind, str) and kind.rpartition(".")[2] == "Pooling"


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
