"""What a plan needs to know of a model, whoever found it out."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from vertex_vllm.model.transformer import Transformer

# Bytes of a number, of the types that vLLM converts to the one that it computes in when it loads them.
FLOAT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
COMPUTED_BYTES = {"float32": 4}


@dataclass(frozen=True)
class TensorGroup:
    """Tensors of one part of the model that are stored in one type."""

    group: str
    """embedding, head, attention, feed forward, experts, vision, norms, other."""
    dtype: str
    """Safetensors' name, for example `BF16`."""
    parameters: int
    bytes: int


@dataclass(frozen=True)
class ModelFacts:
    """Facts of one model at one commit, from its `config.json` and safetensors headers, or from the catalogue."""

    model_id: str
    commit: str
    """40 hexadecimal digits; empty where the facts were recorded without one."""
    architecture: str
    """First of `architectures` in config.json, for example `LlamaForCausalLM`."""
    dtype: str
    """Of the weights as vLLM would load them with `--dtype=auto`: bfloat16, float16, float32."""
    quantization: str
    """`quantization_config.quant_method`, or empty."""
    parameters: int
    """Count of numbers in all tensors that are loaded."""
    weight_bytes: int
    """Bytes of all tensors that are loaded, as stored."""
    layers: int
    hidden_size: int
    attention_heads: int
    key_value_heads: int
    head_size: int
    context_length: int
    """`max_position_embeddings`, in tokens."""
    vision: bool
    """Takes images: the config has a vision tower."""
    chat_template: bool
    """The repo has a chat template, in tokenizer_config.json or in a file of its own."""
    custom_code: bool
    """config.json has an `auto_map`: loading it would run code from the repo."""
    gated: bool
    source: str
    """Where the facts come from, for example `Hub` or a file of the catalogue."""
    transformer: Transformer | None = None
    """What memory depends on besides; None: nobody has read it, and whether the model fits is uncertain."""
    groups: tuple[TensorGroup, ...] = ()
    """The stored tensors by part and type; empty: nobody has read their names."""
    license: str = ""
    """As the repo's card names it, for example `apache-2.0`; empty: not known."""
    rope_scaling: str = ""
    """Kind and factor by which positions are stretched, for example `llama3 × 8`; empty: none."""
    model_type: str = ""
    """`model_type` of config.json; empty: not known."""
    text_model_type: str = ""
    """The same of the text model within."""
    positions: int = 0
    """`max_position_embeddings` as config.json has it, before positions are stretched; 0: not told."""
    quantization_scheme: str = ""
    """Of compressed-tensors, for example `w8a8_fp8`; empty: none, or not known."""
    quantization_file: str = ""
    """File that names the method; empty: nobody has looked."""
    faults: tuple[str, ...] = ()
    """Contradictions between files and config.json that vLLM refuses."""
    doubts: tuple[str, ...] = ()
    """What of the repository nobody can be sure of: reasons for an uncertain verdict."""
    pooling: str = ""
    """Why vLLM would run it as a model that embeds, ranks or classifies; empty: it generates text."""
    tokenizer: str = ""
    """transformers, mistral or none; empty: nobody has looked."""
    tokenizer_class: str = ""
    """`tokenizer_class` of tokenizer_config.json."""
    mistral_common: bool = False
    """params.json and a tokenizer of mistral-common alone: vLLM needs its mistral formats."""
    foreign_code: tuple[str, ...] = ()
    """Other repositories whose Python code the configs would have run."""
    pickled: bool = False
    """Weights in a format that can run code while it is loaded."""
    chat_marks: tuple[str, ...] | None = None
    """Texts of the chat template that tell how the model calls tools and thinks; None: nobody has read it."""

    def loaded_bytes(self, dtype: str) -> int:
        """Bytes of the tensors once vLLM has loaded them to compute in `dtype`, which may be `auto`; 0: not known.

        Plain weights are converted while they load. Of quantised models the 16-bit ones are, scales of 32 bits stay. A
        head that is stored beside the embedding it is tied to is not loaded.
        """
        computed = self.dtype if dtype == "auto" else dtype
        size = COMPUTED_BYTES.get(computed, 2)
        if not self.groups:
            stored = COMPUTED_BYTES.get(self.dtype, 2)
            return self.weight_bytes if self.quantization else self.weight_bytes * size // stored
        tied = self.transformer is not None and self.transformer.tied_embeddings
        return sum(
            _loaded(group, size, bool(self.quantization))
            for group in self.groups
            if not (tied and group.group == "head" and self._stores("embedding"))
        )

    def _stores(self, part: str) -> bool:
        return any(group.group == part for group in self.groups)

    @property
    def shape(self) -> Transformer | None:
        """The whole shape; where a field stands in both, that of the facts."""
        if self.transformer is None:
            return None
        return replace(
            self.transformer,
            architecture=self.architecture,
            hidden_size=self.hidden_size,
            layers=self.layers,
            attention_heads=self.attention_heads,
            key_value_heads=self.key_value_heads,
            head_size=self.head_size,
            context_length=self.context_length,
            vision=self.vision,
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        fields: dict[str, Any] = json.loads(text)
        if fields.get("transformer"):
            inner = fields["transformer"]
            fields["transformer"] = Transformer(**{**inner, "missing": tuple(inner["missing"])})
        fields["groups"] = tuple(TensorGroup(**group) for group in fields.get("groups", ()))
        for name in ("faults", "doubts", "foreign_code"):
            fields[name] = tuple(fields.get(name, ()))
        if fields.get("chat_marks") is not None:
            fields["chat_marks"] = tuple(fields["chat_marks"])
        return cls(**fields)


def _loaded(group: TensorGroup, size: int, quantized: bool) -> int:
    stored = FLOAT_BYTES.get(group.dtype)
    if stored is None or (quantized and stored > 2):
        return group.bytes
    return group.bytes * size // stored
