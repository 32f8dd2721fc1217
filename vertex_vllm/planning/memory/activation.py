"""Peak allocation of a profiling run beyond the weights (vLLM `profile_run`).

T: tokens a step, S: sequences, H: hidden size, I: intermediate size, V: vocabulary. The forms were read off 39 starts
of vLLM 0.26.0 on an H200 (Llama, Qwen3-MoE) and repeat what the code keeps alive at once; elsewhere the interval is
wider.
"""

from vertex_vllm.model.transformer import Transformer
from vertex_vllm.planning.memory.interval import Interval, Term, either
from vertex_vllm.planning.memory.runner import Runner, runners
from vertex_vllm.planning.memory.start import Start

# Bytes of cuBLAS's workspace (`CUBLAS_WORKSPACE_CONFIG` on Hopper: 32 MiB). Too high for other cards, with 8 MiB.
MATRIX_WORKSPACE = 32 << 20
# Rows of H held beside the feed-forward part: its input, the residual, the norm's output.
HIDDEN_ROWS = 3
# Bytes for each logit: V2 samples in the model's type; V1 keeps a copy in the model's type and, in 32 bits, logits,
# sorted logits and probabilities.
SAMPLER_BYTES: dict[Runner, int] = {"V2": 2, "V1": 14}
# V1 warms top-k and penalties with this many 32-bit rows of V besides.
SAMPLER_V1_ROWS = 132
# vLLM `determine_chunked_prefill_workspace_size` caps the context that latent attention expands at once.
LATENT_WORKSPACE_TOKENS = 64 * 1024
# Starts of Llama matched within 3 %; of other families nothing is measured, and the peak is at the same place.
MEASURED, SIMILAR, UNKNOWN = (0.97, 1.05), (0.6, 1.6), (0.3, 4.0)
MEASURED_ARCHITECTURES = ("LlamaForCausalLM", "Qwen3MoeForCausalLM")
MEASURED_SINCE, MEASURED_BEFORE = "0.26.0", "0.27.0"


def activation_term(model: Transformer, start: Start, known: bool) -> Term:
    """The peak of forward pass, sampler and, with a cold cache, compilation."""
    possible = runners(model, start)
    spread = _spread(model, start) if known else UNKNOWN
    amounts = [Interval.about(_peak(model, start, runner), *spread) for runner in possible]
    source = (
        f"forward, sampler, compilation on the {' or '.join(possible)} model runner; read off vLLM 0.26.0 on an H200"
    )
    return Term("activation", either(*amounts), source)


def _peak(model: Transformer, start: Start, runner: Runner) -> float:
    tokens, hidden, size = start.max_num_batched_tokens, model.hidden_size, start.element_bytes
    sequences = min(start.max_num_seqs, tokens)
    matrix = MATRIX_WORKSPACE if not start.quantization else 0
    experts = _expert_workspace(model, start)
    forward = size * tokens * HIDDEN_ROWS * hidden + matrix + _layer(model, start, experts)
    logits = sequences * model.vocabulary
    sampler = logits * SAMPLER_BYTES[runner] + size * (tokens + sequences) * hidden + MATRIX_WORKSPACE
    if runner == "V1":
        sampler += SAMPLER_V1_ROWS * 4 * model.vocabulary
    cold = 0.0
    if not start.enforce_eager and not start.warm_compile_cache:
        # A cold torch.compile holds a copy of this GPU's part of the embedding, and the hidden rows twice.
        cold = size * model.vocabulary * hidden / start.tensor_parallel + 2 * size * tokens * hidden
        cold += 0 if matrix else MATRIX_WORKSPACE
    return max(forward, sampler + experts, cold)


def _layer(model: Transformer, start: Start, experts: float) -> float:
    """Bytes of the largest part of a layer beside the hidden rows: attention, dense feed-forward or experts."""
    rows = start.element_bytes * start.max_num_batched_tokens
    split = start.tensor_parallel
    # Queries, keys, values, and the output of attention.
    heads = (2 * model.attention_heads + 2 * max(model.key_value_heads, split)) / split
    attention = rows * heads * max(model.head_size, model.nope_head_size + model.rope_head_size)
    attention += _latent_context(model, start)
    # Gate and up, and their product.
    dense = rows * 3 * model.intermediate_size / split
    if not model.experts:
        return max(dense, attention)
    shared = rows * 3 * model.shared_expert_intermediate_size / split
    return max(dense if model.dense_layers else 0, experts + max(shared, attention))


def _expert_workspace(model: Transformer, start: Start) -> float:
    """`TritonExperts.workspace_shapes`, two of them, kept from the forward pass on, so it adds to the sampler too."""
    if not model.experts:
        return 0
    up = 2 * model.expert_intermediate_size / start.tensor_parallel
    widths = max(up, model.hidden_size) + max(up / 2, model.hidden_size)
    return start.element_bytes * start.max_num_batched_tokens * model.experts_per_token * widths


def _latent_context(model: Transformer, start: Start) -> float:
    """Latent attention profiles the expansion of cached context (`MLAAttention.forward_impl` without metadata)."""
    if not model.latent_size:
        return 0
    wanted = max(8 * start.max_model_len, 4 * start.max_num_seqs * start.block_tokens)
    tokens = max(min(wanted, LATENT_WORKSPACE_TOKENS), start.max_num_seqs * start.block_tokens)
    heads = model.attention_heads / start.tensor_parallel
    expanded = tokens * heads * (model.nope_head_size + model.value_head_size)
    return start.element_bytes * expanded


def _spread(model: Transformer, start: Start) -> tuple[float, float]:
    measured = model.architecture in MEASURED_ARCHITECTURES and _measured_release(start)
    return MEASURED if measured and start.tensor_parallel == 1 else SIMILAR


def _measured_release(start: Start) -> bool:
    return start.surely_since(MEASURED_SINCE) and start.surely_before(MEASURED_BEFORE)
