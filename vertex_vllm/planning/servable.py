"""Whether this pipeline can serve a model on any machine, and which facts of the model remain uncertain."""

import json
from collections.abc import Iterator, Mapping

from vertex_vllm.catalog import Catalog
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.model.pooling import pooling_reason, unknown_pooling
from vertex_vllm.planning.command_line import WHERE
from vertex_vllm.planning.image_choice import ImageChoice

# Flags and values that make vLLM run a model as one that embeds, ranks or classifies; `--task` left vLLM after 0.10.
_POOLING_VALUES = {
    "--runner": ("pooling",),
    "--convert": ("embed", "classify", "reward"),
    "--task": ("embedding", "embed", "classify", "score", "reward"),
}
# Classes that are new in transformers 5 (tokenization_utils_tokenizers.py and its siblings).
_NEW_TOKENIZERS = ("TokenizersBackend", "SentencePieceBackend", "PythonBackend", "MistralCommonBackend")
# Tokens of one picture at its largest: `max_pixels` 12845056 of Qwen's processors, in patches of 28 × 28 pixels.
_MOST_IMAGE_TOKENS = dict.fromkeys(("qwen2_vl", "qwen2_5_vl", "qwen2_5_omni", "qwen3_vl", "qwen3_vl_moe"), 16384)


_LEAVE_OUT = "Leave it out"
# Classes that vLLM serves for transcription alone (`supports_transcription_only` in models/whisper.py and
# voxtral_realtime.py of the wheel vllm 0.32.0).
_TRANSCRIBING = ("WhisperForConditionalGeneration", "VoxtralRealtimeGeneration")


def overridden_architecture(given: Mapping[str, str]) -> str:
    """The class that --hf-overrides sets instead of config.json's; empty: none."""
    try:
        overrides = json.loads(given.get("--hf-overrides", ""))
    except (ValueError, RecursionError):
        return ""
    named = overrides.get("architectures") if isinstance(overrides, dict) else None
    return str(named[0]) if isinstance(named, list) and named else ""


# Parts of vLLM's mistral format, which an option names.
_MISTRAL_OPTIONS = {
    "--tokenizer-mode": ("tokenizer", "tekken.json, no tokenizer.model.v*"),
    "--config-format": ("config", "params.json"),
    "--load-format": ("weights", "consolidated*.safetensors"),
}
# Formats of weights that an option names: safetensors alone, or pickled files alone.
_SAFE_FORMATS, _PICKLED_FORMATS = ("safetensors", "fastsafetensors", "instanttensor"), ("pt", "npcache")


def _check_formats(facts: ModelFacts, given: Mapping[str, str]) -> None:
    """Raises PlanError for an option that makes vLLM read files which the repository lacks."""
    for flag, (part, files) in _MISTRAL_OPTIONS.items():
        lacking = facts.mistral_parts is not None and part not in facts.mistral_parts
        if given.get(flag) == "mistral" and lacking and not facts.mistral_common:
            raise PlanError(
                f"{flag}=mistral reads files that {facts.model_id} does not have: no {files}",
                where=WHERE,
                fix=_LEAVE_OUT,
            )
    asked = given.get("--load-format", "")
    named = "safetensors" if facts.groups else "pickled" if facts.pickled else ""
    if (asked in _SAFE_FORMATS and named == "pickled") or (asked in _PICKLED_FORMATS and named == "safetensors"):
        raise PlanError(
            f"--load-format={asked} reads other files than the {named} weights of {facts.model_id}",
            where=WHERE,
            fix=_LEAVE_OUT,
        )
    if asked == "gguf":
        raise PlanError("--load-format=gguf reads a GGUF file, and none is served here", where=WHERE, fix=_LEAVE_OUT)


def check_servable(facts: ModelFacts, given: Mapping[str, str], catalog: Catalog) -> None:
    """`given` are the deployment's own arguments, option → value.

    Raises PlanError for a model that generates no text, has no tokenizer, or whose files vLLM refuses.
    """
    for flag, values in _POOLING_VALUES.items():
        if given.get(flag) in values:
            raise PlanError(
                f"{flag}={given[flag]} makes a model that embeds, ranks or classifies, and this pipeline tests answers",
                where=WHERE,
                fix="Leave it out",
            )
    _check_formats(facts, given)
    overridden = overridden_architecture(given)
    if overridden and (why := pooling_reason(overridden, None)) and given.get("--runner") != "generate":
        raise PlanError(
            f"--hf-overrides makes {facts.model_id} a model that embeds, ranks or classifies: {why}",
            where=WHERE,
            fix="Leave the override of architectures out",
        )
    if (overridden or facts.architecture) in _TRANSCRIBING:
        raise PlanError(
            f"{facts.model_id} ({overridden or facts.architecture}) transcribes speech alone: it answers no text",
            where="model.id",
            fix="Choose a model that generates text from text",
        )
    pooling = facts.pooling
    if not overridden and facts.architecture not in catalog.architectures:
        pooling = pooling or unknown_pooling(facts.architecture)
    if pooling and given.get("--runner") != "generate":
        raise PlanError(
            f"{facts.model_id} embeds, ranks or classifies: {pooling}; it generates no text",
            where="model.id",
            fix="Choose a model that generates text",
        )
    if facts.faults:
        raise PlanError(
            f"vLLM refuses the files of {facts.model_id}: {'; '.join(facts.faults)}",
            where="model.id",
            fix="Choose another revision, or a repository whose config.json was written for these weights",
        )
    if facts.tokenizer == "none" and not {"--tokenizer", "--skip-tokenizer-init"} & set(given):
        raise PlanError(
            f"{facts.model_id} has no tokenizer: no tokenizer.json, no *.model, no vocab.json with merges.txt, no "
            "tekken.json",
            where="model.id",
            fix="Choose a repository that has one",
        )


def model_doubts(facts: ModelFacts, image: ImageChoice, catalog: Catalog) -> Iterator[str]:
    """Properties of the repository that may keep this image's vLLM from serving it."""
    yield from facts.doubts
    if facts.tokenizer_class in _NEW_TOKENIZERS:
        rows = catalog.format_rows("transformers", image.versions)
        if not all(row is not None and _is_of_five(row.requires) for _, row in rows):
            yield (
                f"tokenizer_config.json names {facts.tokenizer_class}, a class of transformers 5, and {image.vllm} may "
                "come with transformers 4"
            )


def most_image_tokens(facts: ModelFacts) -> int:
    """Tokens of one picture at its largest; 0: the model takes none, or the number is unknown."""
    # Pixtral's tower keeps a token for each patch of a square picture of the largest side.
    whole = facts.shape.image_tokens if facts.model_type in ("llava", "pixtral", "vision") else 0
    return _MOST_IMAGE_TOKENS.get(facts.model_type, whole)


def _is_of_five(requirement: str) -> bool:
    """Whether the requirement excludes every version of transformers 4, as `>=5.5.3` does."""
    return any(part.strip().startswith(">=5") for part in requirement.split(","))
