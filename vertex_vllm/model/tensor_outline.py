"""The shape of a model by its tensors, and its contradictions to config.json.

vLLM asserts both to be equal when it loads a tensor (`weight_loader` of VocabParallelEmbedding and of the linear
layers); of tensors that config.json promises and no file holds it says "weights were not initialized".
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vertex_vllm.model.transformer import Transformer, defaults_of

# Tensors of the text model: a vision tower has embeddings, layers and heads of its own.
_TOWER = re.compile(r"vision|visual|vit\.|audio|image|talker|token2wav|draft|mtp|nextn")
_EMBEDDING = re.compile(r"(^|\.)(embed_tokens|tok_embeddings|word_embeddings|embed_in|wte)\.weight$")
_LAYER = re.compile(r"(^|\.)(layers|h|blocks)\.(\d+)\.(.*)")
_HEAD = re.compile(r"(^|\.)lm_head\.|^output\.|(^|\.)embed_out\.")
_QUERY = re.compile(r"(^|\.)self_attn\.q_proj\.weight$")
_KEY = re.compile(r"(^|\.)self_attn\.k_proj\.weight$")
# Names that a trainer leaves: of a compiled or wrapped module, and of an adapter that was not merged. vLLM says "There
# is no module or parameter named …" (`AutoWeightsLoader`), or raises a KeyError.
_TRAINER = re.compile(
    r"^(_orig_mod|module|base_model\.model|_forward_module|_fsdp_wrapped_module)\.|\.(base_layer|lora_[AB])\."
)
# Types of which a row of the shape is a row of the matrix; packed ones hold several numbers in each.
_PLAIN = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")


@dataclass(frozen=True)
class Outline:
    """Sizes that the tensors show; 0: unknown."""

    vocabulary: int = 0
    """Rows of the embedding."""
    hidden_size: int = 0
    """Columns of the embedding."""
    layers: int = 0
    """Distinct numbers of decoder layers."""
    query_width: int = 0
    """Rows of a query projection: heads × head size."""
    key_width: int = 0
    head: bool = False
    """Whether a tensor of the head exists."""
    trainer: str = ""
    """A tensor whose name vLLM does not look for, as a trainer leaves it; empty: there is none."""
    gap: str = ""
    """A tensor that exactly one layer lacks; empty: layers have the same tensors, or are too few to compare."""


def outline_of(tensors: Iterable[tuple[str, tuple[int, ...], str]]) -> Outline:
    """From name, shape and type of each tensor; a model whose layers differ in width has no single width."""
    embeddings: set[tuple[int, ...]] = set()
    queries: set[tuple[int, ...]] = set()
    keys: set[tuple[int, ...]] = set()
    layers: dict[int, set[str]] = {}
    head, trainer = False, ""
    for name, shape, dtype in tensors:
        if _TOWER.search(name):
            continue
        if not trainer and _TRAINER.search(name):
            trainer = name[:100]
        head = head or bool(_HEAD.search(name))
        if numbered := _LAYER.search(name):
            layers.setdefault(int(numbered[3]), set()).add(numbered[4])
        if len(shape) != 2 or dtype not in _PLAIN:
            continue
        for pattern, found in ((_EMBEDDING, embeddings), (_QUERY, queries), (_KEY, keys)):
            if pattern.search(name):
                found.add(shape)
    rows, width = next(iter(embeddings)) if len(embeddings) == 1 else (0, 0)
    return Outline(rows, width, len(layers), _rows(queries), _rows(keys), head, trainer, _gap(layers))


def _gap(layers: dict[int, set[str]]) -> str:
    """The first tensor that exactly one layer lacks, where there are three or more layers."""
    if len(layers) < 3:
        return ""
    everywhere = set.union(*layers.values())
    for name in sorted(everywhere):
        lacking = [number for number, names in layers.items() if name not in names]
        if len(lacking) == 1:
            return f"layer {lacking[0]} has no {name}"
    return ""


def contradictions(outline: Outline, shape: Transformer, quantized: bool) -> Iterator[str]:
    """Each as a sentence that names the field of config.json; certain for those of architecture_defaults.yaml alone."""
    code = defaults_of(shape.architecture)
    extra = code.extra_embeddings if code else 0
    pairs = (
        (
            "rows of the embedding",
            outline.vocabulary,
            "vocab_size",
            shape.vocabulary + extra if shape.vocabulary else 0,
        ),
        ("columns of the embedding", outline.hidden_size, "hidden_size", shape.hidden_size),
        ("rows of the query projections", outline.query_width, "num_attention_heads × head_dim", _width(shape, True)),
        ("rows of the key projections", outline.key_width, "num_key_value_heads × head_dim", _width(shape, False)),
    )
    for what, found, field, told in pairs:
        if found and told and found != told:
            yield f"the files have {found} {what}, config.json says {told} ({field})"
    if outline.trainer:
        yield f"a tensor has a name that vLLM does not know, as a trainer leaves it: {outline.trainer!r}"
        return
    alike = not shape.experts and not shape.cross_attention_layers
    if (
        outline.layers
        and shape.layers
        and (outline.layers < shape.layers or (code and alike and outline.layers > shape.layers))
    ):
        yield f"the files have {outline.layers} layers, config.json says {shape.layers} (num_hidden_layers)"
    # Of quantised models vLLM does not check that every tensor was loaded (`track_weights_loading`).
    elif code and not quantized and outline.layers:
        if not outline.head and not shape.tied_embeddings:
            yield "the files have no head (lm_head), and config.json does not tie it (tie_word_embeddings)"
        if alike and outline.gap:
            yield f"a tensor is missing: {outline.gap}, and every other layer has it"


def _width(shape: Transformer, queries: bool) -> int:
    """0 with latent attention, whose projections have other widths."""
    heads = shape.attention_heads if queries else shape.key_value_heads
    return 0 if shape.latent_size else heads * shape.head_size


def _rows(shapes: set[tuple[int, ...]]) -> int:
    return next(iter(shapes))[0] if len(shapes) == 1 else 0
