"""Facts of one model that a plan rests on, from the Hub, a bucket or the catalogue."""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from vertex_vllm.model.card_licence import CardLicence
from vertex_vllm.model.transformer import Transformer

# Bytes of a number, of the types that vLLM converts to the one that it computes in when it loads them.
FLOAT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


def number_bytes(dtype: str) -> int:
    """Bytes of a number that vLLM computes with, or keeps in the KV cache, in `dtype`: 16 bits but for `float32`."""
    return 4 if dtype == "float32" else 2


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
    dtype: str
    """Of the weights as vLLM would load them with `--dtype=auto`: bfloat16, float16, float32."""
    quantization: str
    """`quantization_config.quant_method`, or empty."""
    parameters: int
    """Count of numbers in all tensors that are loaded."""
    weight_bytes: int
    """Bytes of all tensors that are loaded, as stored."""
    shape: Transformer
    """Sizes that memory depends on; `missing` names the unknown ones."""
    chat_template: bool
    """The repo has a chat template, in tokenizer_config.json or in a file of its own."""
    custom_code: bool
    """config.json has an `auto_map`: loading it would run code from the repo."""
    gated: bool
    source: str
    """Where the facts come from, for example `Hub` or a file of the catalogue."""
    groups: tuple[TensorGroup, ...] = ()
    """The stored tensors by part and type; empty: their names were not read."""
    license: str = ""
    """The ids that the repo's card names, for example `apache-2.0`, with commas between several; empty: not known."""
    license_name: str = ""
    """The card's name for a licence whose id is `other`."""
    license_link: str = ""
    """The card's address, or file of the repository, of the licence's text."""
    rope_scaling: str = ""
    """Kind and factor by which positions are stretched, for example `llama3 × 8`; empty: none."""
    model_type: str = ""
    """`model_type` of config.json; empty: not known."""
    text_model_type: str = ""
    """The same of the text model within."""
    positions: int = 0
    """`max_position_embeddings` as config.json has it, before positions are stretched; 0: not given."""
    quantization_scheme: str = ""
    """Format within the method, as `model.quantization.Quantized.scheme`; empty: none, or not known."""
    quantization_file: str = ""
    """File that names the method; empty: not read."""
    faults: tuple[str, ...] = ()
    """Contradictions between files and config.json that vLLM refuses."""
    doubts: tuple[str, ...] = ()
    """Uncertainties about the repository: reasons for an uncertain verdict."""
    pooling: str = ""
    """Why vLLM would run it as a model that embeds, ranks or classifies; empty: it generates text."""
    tokenizer: str = ""
    """transformers, mistral or none; empty: not read."""
    tokenizer_class: str = ""
    """`tokenizer_class` of tokenizer_config.json."""
    mistral_common: bool = False
    """params.json and a tokenizer of mistral-common alone: vLLM needs its mistral formats."""
    mistral_parts: tuple[str, ...] | None = None
    """Parts of vLLM's mistral format that the repository has: tokenizer, config, weights; None: not read."""
    foreign_code: tuple[str, ...] = ()
    """Other repositories whose Python code the configs would have run."""
    pickled: bool = False
    """Weights in a format that can run code while it is loaded."""
    chat_marks: tuple[str, ...] | None = None
    """Texts of the chat template that show how the model calls tools and thinks; None: not read."""

    @property
    def card_licence(self) -> CardLicence:
        return CardLicence(tuple(filter(None, self.license.split(", "))), self.license_name, self.license_link)

    def loaded_bytes(self, dtype: str) -> int:
        """Bytes of the tensors once vLLM has loaded them to compute in `dtype`, which may be `auto`; 0: not known.

        Plain weights are converted while they load; of quantised models only the 16-bit tensors are, not 32-bit scales.
        A head that is stored beside the embedding it is tied to is not loaded.
        """
        computed = self.dtype if dtype == "auto" else dtype
        size = number_bytes(computed)
        if not self.groups:
            stored = number_bytes(self.dtype)
            return self.weight_bytes if self.quantization else self.weight_bytes * size // stored
        return sum(
            _loaded(group, size, bool(self.quantization))
            for group in self.groups
            if not (self.shape.tied_embeddings and group.group == "head" and self._stores("embedding"))
        )

    def _stores(self, part: str) -> bool:
        return any(group.group == part for group in self.groups)

    @property
    def architecture(self) -> str:
        return self.shape.architecture

    @property
    def context_length(self) -> int:
        return self.shape.context_length

    @property
    def vision(self) -> bool:
        return self.shape.vision

    def reshaped(self, **sizes: Any) -> Self:
        """The same model with other sizes: fields of `Transformer`."""
        return replace(self, shape=replace(self.shape, **sizes))

    def to_json(self) -> str:
        """A JSON object with the sizes of the shape beside the other facts."""
        told = asdict(self)
        sizes = told.pop("shape")
        return json.dumps({**told, **sizes}, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Facts from the text of `to_json`. Raises ValueError, TypeError or AttributeError for any other text."""
        told: dict[str, Any] = {name: _frozen(value) for name, value in json.loads(text).items()}
        shape = Transformer(**{name: told.pop(name) for name in _SIZES if name in told})
        groups = tuple(TensorGroup(**group) for group in told.pop("groups", ()))
        return cls(**told, shape=shape, groups=groups)


_SIZES = tuple(field.name for field in fields(Transformer))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _loaded(group: TensorGroup, size: int, quantized: bool) -> int:
    stored = FLOAT_BYTES.get(group.dtype)
    if stored is None or (quantized and stored > 2):
        return group.bytes
    return group.bytes * size // stored
