"""Weights as vLLM holds them: sharded over GPUs, parts of them replicated, and the table of rotary angles."""

from dataclasses import dataclass

from vertex_vllm.model.transformer import Transformer, defaults_of
from vertex_vllm.planning.memory.interval import Interval, Term
from vertex_vllm.planning.memory.start import Start

# vLLM `DEFAULT_VOCAB_PADDING_SIZE`: embedding and head are padded to it.
VOCABULARY_PADDING = 64
# Bytes of one weight of a linear layer. 4-bit methods: groups of 128 share a 16-bit scale and a 4-bit zero point;
# mxfp4: groups of 32 share an 8-bit scale. Embedding, head and norms stay in the model's type (`get_quant_method`).
FOUR_BITS = 0.5 + 2.5 / 128
LINEAR_BYTES = {
    **dict.fromkeys(("fp8", "fbgemm_fp8", "fp8_per_tensor", "fp8_per_channel", "ptpc_fp8"), 1.0),
    "fp8_per_block": 1 + 4 / 128**2,
    "int8_per_channel_weight_only": 1.0,
    "mxfp8": 1 + 1 / 32,
    **dict.fromkeys(("awq", "awq_marlin", "auto_awq", "gptq", "gptq_marlin", "auto_gptq"), FOUR_BITS),
    "mxfp4": 0.5 + 1 / 32,
}
# Measured on an H200 (vLLM 0.26.0): what `weights` held beyond tensors and rotary table was 0.0 to 0.1 % for bfloat16,
# 0.6 % for fp8 made at load; allocator's rounding. Low for models of many small tensors.
ALLOCATOR = (1.0, 1.006)
# Measured there: an fp8 cache adds scales to each attention layer, held as 1 MiB blocks by the allocator.
CACHE_SCALES_BYTES_PER_LAYER = 1 << 20


@dataclass(frozen=True)
class Parameters:
    """Counts of numbers on one GPU."""

    linear: float
    """Numbers in layers that a quantisation replaces."""
    tables: float
    """Embedding and head."""


def weights_term(model: Transformer, start: Start) -> Term:
    """Weights on one GPU, in bytes; of unknown size where neither the tensors nor the formula gives it."""
    rotary = model.context_length * (model.rope_head_size or model.head_size) * start.element_bytes
    scales = CACHE_SCALES_BYTES_PER_LAYER * model.layers if start.cache_element_bytes < start.element_bytes else 0
    extra = Interval.about(rotary + scales, 0, 1)
    if start.weight_bytes:
        shards = start.tensor_parallel * start.pipeline_stages
        whole = parameters(model, 1)
        here = parameters(model, start.tensor_parallel)
        replicated = (here.linear - whole.linear / start.tensor_parallel) * linear_bytes(start) / start.pipeline_stages
        tensors = start.weight_bytes / shards + max(0.0, replicated) + _absorbed(model, start)
        return Term("weights", Interval.about(tensors, *ALLOCATOR) + extra, "bytes of the stored tensors, rotary table")
    known = start.quantization in ("", *LINEAR_BYTES) and defaults_of(model.architecture) is not None
    here = parameters(model, start.tensor_parallel)
    stages = start.pipeline_stages
    tensors = here.linear * linear_bytes(start) / stages + here.tables * start.element_bytes
    tensors += _absorbed(model, start)
    spread = ALLOCATOR if known else (0.25, 2.0)
    return Term("weights", Interval.about(tensors, *spread) + extra, "the architecture's tensors, rotary table")


def _absorbed(model: Transformer, start: Start) -> float:
    """Latent attention keeps its expansion in 16 bits beside quantised weights (`process_weights_after_loading`)."""
    if not model.latent_size or not start.quantization:
        return 0
    expansion = model.latent_size * model.attention_heads * (model.nope_head_size + model.value_head_size)
    return start.element_bytes * model.layers * expansion / start.tensor_parallel / start.pipeline_stages


def linear_bytes(start: Start) -> float:
    """Bytes of one weight of a linear layer."""
    return LINEAR_BYTES.get(start.quantization, float(start.element_bytes))


def parameters(model: Transformer, tensor_parallel: int) -> Parameters:
    """Share of the model's tensors on one of `tensor_parallel` GPUs; norms and biases (below 0.1 %) left out."""
    padded = -(-model.vocabulary // VOCABULARY_PADDING) * VOCABULARY_PADDING
    tables = padded * model.hidden_size * (1 if model.tied_embeddings else 2) / tensor_parallel
    linear = model.layers * _attention(model, tensor_parallel)
    matrices = 3 if _gated(model) else 2
    dense_layers = model.dense_layers if model.experts else model.layers
    linear += dense_layers * matrices * model.hidden_size * model.intermediate_size / tensor_parallel
    if model.experts:
        width = model.experts * model.expert_intermediate_size + model.shared_expert_intermediate_size
        per_layer = matrices * model.hidden_size * width / tensor_parallel + model.hidden_size * model.experts
        linear += (model.layers - dense_layers) * per_layer
    return Parameters(linear, tables)


def _attention(model: Transformer, tensor_parallel: int) -> float:
    hidden, heads = model.hidden_size, model.attention_heads
    if not model.latent_size:
        keys = max(1.0, model.key_value_heads / tensor_parallel)  # replicated once there are fewer heads than GPUs
        return hidden * model.head_size * (2 * heads / tensor_parallel + 2 * keys)
    query_head = model.nope_head_size + model.rope_head_size
    down = hidden * (model.latent_size + model.rope_head_size)  # not sharded: every GPU needs the whole latent
    up = model.latent_size * heads * (model.nope_head_size + model.value_head_size) / tensor_parallel
    out = heads * model.value_head_size * hidden / tensor_parallel
    if model.query_latent_size:
        query = hidden * model.query_latent_size + model.query_latent_size * heads * query_head / tensor_parallel
    else:
        query = hidden * heads * query_head / tensor_parallel
    return down + up + out + query


def _gated(model: Transformer) -> bool:
    family = defaults_of(model.architecture)
    return family is None or family.gated
