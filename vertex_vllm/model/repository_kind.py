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
_MISTRAL_PARTS = {"tokenizer": (*MISTRAL_TOKENIZERS, "tokenizer.mm.model.v*"), "config": ("params.json",)}
# Weights that mistral-common's format has; beside the usual format they are a second copy.
CONSOLIDATED = "consolidated*.safetensors"
_ORIGINAL = ("consolidated.*.pth",)
# Formats of weights that vLLM does not read, by patterns of file names.
_OTHER_FORMATS = {
    "*.gguf": "GGUF, made for llama.cpp",
    "*.onnx": "ONNX",
    "tf_model*.h5": "TensorFlow",
    "flax_model*.msgpack": "Flax",
    "openvino_*": "OpenVINO",
    "*.nemo": "NeMo",
    "*.ckpt": "PyTorch Lightning or Stable Diffusion checkpoints",
    "*.mlpackage/*": "Core ML",
    "*.tflite": "TensorFlow Lite",
    "*.llamafile": "llamafile",
    "*.task": "MediaPipe",
    "*.litertlm": "LiteRT",
}
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
    if "config.json" not in top and not weights and not any(path.lower().endswith(".gguf") for path in top):
        _check_folders(listing)
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


def _check_folders(listing: Sequence[AnyFile]) -> None:
    """Raises PlanError for adapters, or a model, that are in folders of the repository alone."""
    paths = {file.path for file in listing}
    if "modules.json" in paths:
        raise PlanError(
            "the repository holds a model of sentence-transformers in folders, which embeds and generates no text",
            where="modules.json",
            fix="Choose a model that generates text",
        )
    folders = {file.path.rpartition("/")[::2] for file in listing if "/" in file.path}
    for name, what in ((ADAPTER_CONFIG, "adapters"), ("config.json", "a model")):
        found = sorted(folder for folder, file in folders if file == name)
        if found and "model_index.json" not in paths:
            raise PlanError(
                f"the repository holds {what} in folders alone, the first in {found[0]}/, and vLLM reads its top",
                where=name,
                fix="Serve their base model"
                if name == ADAPTER_CONFIG
                else "Put that folder into a repository of its own",
            )


def other_formats(listing: Sequence[AnyFile]) -> str:
    """Formats that vLLM does not read and the repository has, in words; empty: none that is known."""
    found = (
        told
        for pattern, told in _OTHER_FORMATS.items()
        if any(
            fnmatchcase(file.path.lower(), pattern) or fnmatchcase(file.path.rpartition("/")[2], pattern)
            for file in listing
        )
    )
    return ", ".join(dict.fromkeys(found))


def check_mlx(config: Mapping[str, object]) -> None:
    """Raises PlanError for weights that MLX has quantised: they name bits and groups, and no method."""
    told, section = config.get("quantization"), config.get("quantization_config")
    named = isinstance(section, Mapping) and "quant_method" in section
    if isinstance(told, Mapping) and {"bits", "group_size"} <= set(told) and not named:
        raise PlanError(
            "the repository holds weights that MLX has quantised, for Apple's processors; vLLM does not read them",
            where="config.json: quantization",
            fix="Choose the repository that they were made from: its card names it as base model",
        )


def mistral_parts(listing: Sequence[AnyFile]) -> tuple[str, ...]:
    """Parts of vLLM's mistral format that the repository has: tokenizer, config, weights."""
    top = [file.path for file in listing if "/" not in file.path]
    patterns = {**_MISTRAL_PARTS, "weights": (CONSOLIDATED,)}
    return tuple(part for part, names in patterns.items() if any(_matches(path, names) for path in top))


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
