"""Repositories of models for tests: config.json, small files, and safetensors headers without the weights."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from vertex_vllm.hub.repository_facts import facts_from_files
from vertex_vllm.model.card_licence import NO_LICENCE
from vertex_vllm.model.facts import ModelFacts

COMMIT = "c" * 40
BITS = {"BF16": 16, "F16": 16, "F32": 32, "U8": 8, "I8": 8, "F8_E4M3": 8, "I32": 32}
TOKENIZER = {"tokenizer.json": b"{}", "tokenizer_config.json": b'{"chat_template": "{{ messages }}"}'}
Tensors = Mapping[str, tuple[str, tuple[int, ...]]]
"""Name → safetensors type and shape."""


@dataclass(frozen=True)
class MadeFile:
    """`data` is how the file begins; up to `size` it holds zeros that nobody reads."""

    path: str
    size: int
    data: bytes


class MadeReader:
    def read(self, file: MadeFile, start: int = 0, length: int | None = None) -> bytes:
        end = len(file.data) if length is None else start + length
        assert end <= len(file.data), f"{file.path}: weights are read"
        return file.data[start:end]


def small(path: str, data: bytes | dict[str, Any] | list[Any]) -> MadeFile:
    written = data if isinstance(data, bytes) else json.dumps(data).encode()
    return MadeFile(path, len(written), written)


def weights(tensors: Tensors, path: str = "model.safetensors") -> MadeFile:
    """A safetensors file: its header, and as many bytes as the tensors take."""
    entries, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        size = prod(shape) * BITS[dtype] // 8
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    header = json.dumps(entries).encode()
    # The reader requests at least so many bytes; a real file has them.
    padding = b" " * max(-len(header) % 8, (128 << 10) - len(header))
    header += padding
    return MadeFile(path, 8 + len(header) + end, struct.pack("<Q", len(header)) + header)


def decoder(config: Mapping[str, Any], dtype: str = "BF16", vocabulary: int = 0, prefix: str = "model.") -> Tensors:
    """Tensors of a decoder with the fields of a Llama's config.json; linear layers are stored in `dtype`."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    heads = config["num_attention_heads"]
    shared, size = config.get("num_key_value_heads", heads), config.get("head_dim", hidden // heads)
    rows = vocabulary or config["vocab_size"]
    made: dict[str, tuple[str, tuple[int, ...]]] = {f"{prefix}embed_tokens.weight": ("BF16", (rows, hidden))}
    for number in range(config["num_hidden_layers"]):
        layer = f"{prefix}layers.{number}"
        for name, shape in (
            ("self_attn.q_proj", (heads * size, hidden)),
            ("self_attn.k_proj", (shared * size, hidden)),
            ("self_attn.v_proj", (shared * size, hidden)),
            ("self_attn.o_proj", (hidden, heads * size)),
            ("mlp.gate_proj", (inner, hidden)),
            ("mlp.up_proj", (inner, hidden)),
            ("mlp.down_proj", (hidden, inner)),
        ):
            packed = (shape[0] * shape[1] // 2, 1) if dtype == "U8" else shape
            made[f"{layer}.{name}.weight"] = (dtype, packed)
        made[f"{layer}.input_layernorm.weight"] = ("BF16", (hidden,))
    made[f"{prefix}norm.weight"] = ("BF16", (hidden,))
    if not config.get("tie_word_embeddings"):
        made["lm_head.weight"] = ("BF16", (rows, hidden))
    return made


def four_bit(config: Mapping[str, Any], group: int = 128) -> Tensors:
    """The decoder with linear layers of 4 bits, eight numbers in each stored one, as AWQ and GPTQ keep them."""
    made: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, (dtype, shape) in decoder(config).items():
        if ".layers." not in name or len(shape) == 1:
            made[name] = (dtype, shape)
            continue
        rows, columns = shape
        linear = name.removesuffix(".weight")
        made[f"{linear}.qweight"] = ("I32", (columns, rows // 8))
        made[f"{linear}.qzeros"] = ("I32", (columns // group, rows // 8))
        made[f"{linear}.scales"] = ("F16", (columns // group, rows))
    return made


def repository(config: dict[str, Any] | None, *files: MadeFile, tokenizer: bool = True) -> tuple[MadeFile, ...]:
    made = {file.path: file for file in files}
    if config is not None:
        made["config.json"] = small("config.json", config)
    if tokenizer:
        made = {**{path: small(path, data) for path, data in TOKENIZER.items()}, **made}
    return tuple(made[path] for path in sorted(made))


def read(files: tuple[MadeFile, ...], model_id: str = "acme/model") -> ModelFacts:
    """The product's own reading of the repository."""
    return facts_from_files(
        MadeReader(), files, model_id=model_id, commit=COMMIT, gated=False, licence=NO_LICENCE, source="Hub"
    )
