"""What a plan needs to know of a model, whoever found it out."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from vertex_vllm.planning.transformer import Transformer


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
        return cls(**fields)
