"""Which part of a model a tensor belongs to, by its name."""

import re

# The first that matches; names as transformers' models give them.
_PARTS = (
    ("vision", r"vision|visual|vit\.|image|multi_modal_projector|mm_projector|patch_embed|connector|audio"),
    ("norms", r"norm|(^|\.)ln_"),
    ("experts", r"expert"),
    ("embedding", r"embed_tokens|tok_embeddings|word_embeddings|embed_in|(^|\.)wte\."),
    ("head", r"(^|\.)lm_head\.|^output\.|embed_out"),
    ("attention", r"attn|attention"),
    ("feed forward", r"mlp|feed_forward|ffn|\.fc[12]\."),
)
OTHER = "other"


def group_of(tensor: str) -> str:
    """Name of a part of the model, as in `model.facts.TensorGroup.group`."""
    return next((part for part, pattern in _PARTS if re.search(pattern, tensor)), OTHER)
