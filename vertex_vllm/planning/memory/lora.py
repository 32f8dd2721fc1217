"""Room for LoRA adapters, which vLLM allocates at their largest when it loads a model (`create_lora_weights`)."""

from vertex_vllm.model.transformer import Transformer
from vertex_vllm.planning.memory.interval import Interval, Term
from vertex_vllm.planning.memory.start import Start

# Adapters are kept in 16 bits (`LoRAConfig.lora_dtype`), independent of the weights' format.
ELEMENT_BYTES = 2
# Nothing was measured: which layers take adapters differs by model, and a slot for "no adapter" may be added.
SPREAD = (0.5, 2.0)


def lora_term(model: Transformer, start: Start) -> Term | None:
    """Both matrices of every linear layer, and of embedding and head; None without LoRA."""
    if not start.loras:
        return None
    split, hidden = start.tensor_parallel, model.hidden_size
    queries, keys = model.attention_heads * model.head_size, model.key_value_heads * model.head_size
    attention = 4 * hidden + (2 * queries + 2 * keys) / split
    feed_forward = 3 * hidden + 3 * model.intermediate_size / split
    tables = 2 * (model.vocabulary + hidden)
    numbers = start.lora_rank * (model.layers * (attention + feed_forward) / start.pipeline_stages + tables)
    amount = Interval.about(start.loras * ELEMENT_BYTES * numbers, *SPREAD)
    return Term("LoRA", amount, f"{start.loras} adapters of rank {start.lora_rank} on the GPU; not measured")
