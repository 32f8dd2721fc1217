"""Whether vLLM would run a model as one that embeds, ranks or classifies."""

from collections.abc import Sequence

# vLLM `_SUFFIX_TO_DEFAULTS` (config/model.py of 0.11.0 to 0.26.0): class names of models that do not generate.
_POOLING_SUFFIXES = (
    *("ForTextEncoding", "EmbeddingModel", "ForSequenceClassification", "ForTokenClassification"),
    *("ForAudioClassification", "ForImageClassification", "ForVideoClassification", "ClassificationModel"),
    *("ForRewardModeling", "RewardModel"),
)


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


def unknown_pooling(architecture: str) -> str:
    """Why vLLM would run a class that its registry does not have as one that embeds; empty: it would generate.

    The last of `_SUFFIX_TO_DEFAULTS`: `Model`, unless it is a ChatModel or an LMHeadModel.
    """
    generates = architecture.endswith(("ChatModel", "LMHeadModel"))
    return f"its class {architecture} ends with Model" if architecture.endswith("Model") and not generates else ""
