"""Whether a LoRA adapter belongs to a model, from adapter_config.json and the shapes of its tensors.

vLLM itself does not compare an adapter with the base model that it was trained on. It copies each matrix into the
corner of a buffer of the model's size (`set_lora` in lora/layers/base_linear.py of 0.32.0): an adapter of a wider model
is refused at start, an adapter of a narrower one is served, and changes the answers at random.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from vertex_vllm.model.transformer import Transformer

# A layer of any part; those of a vision or audio tower, or of a part that speaks, have other names in front.
_TENSOR = re.compile(
    r"(?P<before>.*?)\blayers\.(?P<layer>\d{1,6})\.(?:self_attn|attention|mlp)\.(?P<module>\w+)\.lora_(?P<side>[AB])\b"
)
# vpm, apm and tts are MiniCPM's.
_OTHER_PARTS = ("vision", "visual", "audio", "image", "encoder", "vpm", "apm", "tts", "talker")
# Modules that read, or write, vectors of the model's hidden size. Other widths differ by family.
_READ_HIDDEN = ("q_proj", "k_proj", "v_proj", "qkv_proj", "gate_proj", "up_proj", "gate_up_proj")
_WRITE_HIDDEN = ("o_proj", "down_proj")

# Features of PEFT that vLLM does not serve (`_validate_features` in lora/peft_helper.py of 0.32.0). Older versions
# serve some of them as a plain LoRA, and the answers are wrong.
_FEATURES = {
    "use_dora": "DoRA",
    "lora_bias": "a bias of its own",
    "alora_invocation_tokens": "Activated LoRA",
    "layer_replication": "repeated layers",
    "use_bdlora": "block-diagonal LoRA",
    "use_qalora": "QALoRA",
}
_PLAIN_INITS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")
_CLASSIFIERS = ("classifier", "score")


def adapter_rank(config: Mapping[str, Any]) -> int:
    """The largest rank of adapter_config.json: `r`, or a module's own in `rank_pattern`; 0 where it has none."""
    patterns = config.get("rank_pattern")
    ranks = [config.get("r"), *(patterns.values() if isinstance(patterns, dict) else ())]
    return max((rank for rank in ranks if isinstance(rank, int)), default=0)


def adapter_faults(
    config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], model: Transformer
) -> Iterator[str]:
    """Reasons why vLLM cannot serve the adapter with this model. `shapes`: name of each tensor → its sizes.

    A model of the same hidden size and number of layers cannot be told from the adapter's own base. Sizes that the
    model's config.json lacks are not compared.
    """
    if (kind := config.get("peft_type")) not in (None, "LORA"):
        yield f"its kind is {str(kind)[:40]}, and vLLM serves LoRA alone"
    for feature in _unserved(config):
        yield f"it has {feature}, which vLLM does not serve"
    if adapter_rank(config) < 1:
        yield "adapter_config.json has no rank (r)"
    named = [(name, match, shape) for name, shape in shapes.items() if (match := _TENSOR.search(name))]
    for name, match, shape in named:
        if any(part in match["before"] for part in _OTHER_PARTS):
            continue
        if model.layers and int(match["layer"]) >= model.layers:
            yield f"{name[:200]} is of layer {match['layer']}, and the model has {model.layers} layers"
            return
        width = _hidden_width(match["module"], match["side"], shape)
        if model.hidden_size and width not in (None, model.hidden_size):
            yield f"{name[:200]} is made for a hidden size of {width}, and the model's is {model.hidden_size}"
            return


def _unserved(config: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{name} ({key})" for key, name in _FEATURES.items() if config.get(key))
    if config.get("bias") not in (None, "none"):
        yield "trained biases of the model (bias)"
    init = config.get("init_lora_weights")
    if isinstance(init, str) and init.lower() not in _PLAIN_INITS:
        yield f"weights that belong to a changed base model (init_lora_weights: {init[:40]})"
    saved = config.get("modules_to_save")
    if isinstance(saved, list) and (whole := [str(each)[:80] for each in saved if each not in _CLASSIFIERS]):
        yield f"whole modules beside the low-rank ones (modules_to_save: {', '.join(whole[:5])})"


def _hidden_width(module: str, side: str, shape: tuple[int, ...]) -> int | None:
    """The hidden size that a matrix was made for: A is rank × read, B is written × rank. None: the matrix has none."""
    if len(shape) != 2:
        return None
    if module in _READ_HIDDEN and side == "A":
        return shape[1]
    return shape[0] if module in _WRITE_HIDDEN and side == "B" else None
