"""A model repository of some hundred kilobytes, with everything that the planner and the mirror look at."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

# More than one part of the mirror's uploads (vertex_vllm.mirror.transfer_options.PART_BYTES), so that a process of its
# own copies it in parts.
LARGE_BYTES = (30 << 20) + 300_001

_HIDDEN, _LAYERS, _VOCABULARY, _INTERMEDIATE = 64, 2, 512, 128
_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": _HIDDEN,
    "intermediate_size": _INTERMEDIATE,
    "max_position_embeddings": 1024,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_hidden_layers": _LAYERS,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vocab_size": _VOCABULARY,
}
_SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def write_repository(folder: Path, *, large: bool) -> None:
    """Writes the files; the same bytes every time. `large`: the first of two shards is large for the mirror."""
    folder.mkdir(parents=True)
    embedding = LARGE_BYTES // 2 if large else _VOCABULARY * _HIDDEN
    shards = {
        _SHARDS[0]: {"model.embed_tokens.weight": embedding},
        _SHARDS[1]: {f"model.layers.{layer}.self_attn.q_proj.weight": _HIDDEN**2 for layer in range(_LAYERS)},
    }
    for name, counts in shards.items():
        (folder / name).write_bytes(_safetensors(counts))
    index = {"metadata": {}, "weight_map": {tensor: name for name, counts in shards.items() for tensor in counts}}
    texts: dict[str, Any] = {
        "config.json": _CONFIG,
        "generation_config.json": {},
        "model.safetensors.index.json": index,
        "tokenizer.json": {"version": "1.0"},
        "tokenizer_config.json": {"chat_template": "{{ messages }}"},
    }
    for name, content in texts.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "README.md").write_text("# A model that is only mirrored\n")


def _safetensors(counts: dict[str, int]) -> bytes:
    header, size = {}, 0
    for name, count in counts.items():
        header[name] = {"dtype": "BF16", "shape": [count], "data_offsets": [size, size + 2 * count]}
        size += 2 * count
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + hashlib.shake_128(text).digest(size)
