"""What a profiling run allocates beyond the weights at its peak (vLLM `profile_run`).

T: tokens a step, S: sequences, H: hidden size, I: intermediate size, V: vocabulary. The forms were read off 39 starts
of vLLM 0.26.0 on an H200 (Llama, Qwen3-MoE) and repeat what the code keeps alive at once; elsewhere the interval is
wider.
"""

from vertex_vllm.planning.memory.interval import Interval, Term, either
from vertex_vllm.planning.memory.start import Runner, Start
from vertex_vllm.planning.transformer import Transformer

# Of 16-bit matrix products (`CUBLAS_WORKSPACE_CONFIG` on Hopper: 32 MiB). Other cards take 8 MiB: high for them.
MATRIX_WORKSPACE = 32 << 20
# Rows of H that live beside the feed-forward part: its input, the residual, the norm's output.
HIDDEN_ROWS = 3
# Bytes for each logit: V2 samples in the model's type; V1 keeps a copy in the model's type and, in 32 bits, logits,
# sorted logits and probabilities.
SAMPLER_BYTES: dict[Runner, int] = {"V2": 2, "V1": 14}
# V1 warms top-k and penalties with this many 32-bit rows of V besides.
SAMPLER_V1_ROWS = 132
# Rows of each routed token in the fused experts' two workspaces (`fused_experts`), in bytes of 16-bit numbers.
EXPERT_ROW_BYTES = 4
# vLLM `determine_chunked_prefill_workspace_size` caps the context that latent attention expands at once.
LATENT_WORKSPACE_TOKENS = 64 * 1024
# Starts of Llama matched within 3 %; of other families nothing is measured, and the peak is at the same place.
MEASURED, SIMILAR, UNKNOWN = (0.97, 1.05), (0.6, 1.6), (0.3, 4.0)
MEASURED_ARCHITECTURES = ("LlamaForCausalLM", "Qwen3MoeForCausalLM")
MEASURED_SINCE, MEASURED_BEFORE = "0.26.0", "0.27.0"


def activation_term(model: Transformer, start: Start, known: bool) -> Term:
    """The peak of forward pass, sampler and, with a cold cache, compilation."""
    likely, other = _runners(model, start)
    peaks = [_peak(model, start, runner) for runner in (likely, other)]
    spread = _spread(model, start) if known else UNKNOWN
    both = [Interval.about(peak, *spread) for peak in peaks]
    source = f"forward, sampler, compilation on the {likely} model runner; read off vLLM 0.26.0 on an H200"
    certain_runner = start.surely_before("0.26.0") or start.surely_since("0.32.0") or _measured_release(start)
    return Term("activation", both[0] if certain_runner else either(both[0], both[1]), source)


def likely_runner(model: Transformer, start: Start) -> Runner:
    return _runners(model, start)[0]


def _runners(model: Transformer, start: Start) -> tuple[Runner, Runner]:
    """The likelier first. 0.26 chose V2 for dense text models alone, and 0.32 chooses it for all."""
    simple = not (model.experts or model.latent_size or model.vision or model.sliding_layers)
    second = start.surely_since("0.32.0") or (start.surely_since("0.26.0") and simple)
    return ("V2", "V1") if second else ("V1", "V2")


def _peak(model: Transformer, start: Start, runner: Runner) -> float:
    tokens, hidden, size = start.max_num_batched_tokens, model.hidden_size, start.element_bytes
    sequences = min(start.max_num_seqs, tokens)
    split = start.tensor_parallel
    matrix = MATRIX_WORKSPACE if not start.quantization else 0
    # Feed-forward: gate and up, their product, and the hidden rows. Attention: queries, keys, values, and its output.
    feed_forward = 3 * (model.intermediate_size or model.shared_expert_intermediate_size) / split
    heads = (2 * model.attention_heads + 2 * max(model.key_value_heads, split)) / split
    attention = heads * max(model.head_size, model.nope_head_size + model.rope_head_size)
    dense = 0 if model.experts and not model.dense_layers else feed_forward
    forward = size * tokens * (HIDDEN_ROWS * hidden + max(dense, attention)) + matrix + _latent_context(model, start)
    logits = sequences * model.vocabulary
    sampler = logits * SAMPLER_BYTES[runner] + size * (tokens + sequences) * hidden + MATRIX_WORKSPACE
    if runner == "V1":
        sampler += SAMPLER_V1_ROWS * 4 * model.vocabulary
    experts = _expert_workspace(model, start)
    cold = 0.0
    if not start.enforce_eager and not start.warm_compile_cache:
        # A cold torch.compile holds a copy of this GPU's part of the embedding, and the hidden rows twice.
        cold = size * model.vocabulary * hidden / split + 2 * size * tokens * hidden
        cold += 0 if matrix else MATRIX_WORKSPACE
    return max(forward + experts, sampler + experts, cold)


def _expert_workspace(model: Transformer, start: Start) -> float:
    """Kept from the forward pass on, so it adds to the sampler too."""
    width = max(2 * model.expert_intermediate_size / start.tensor_parallel, model.hidden_size)
    return EXPERT_ROW_BYTES * start.max_num_batched_tokens * model.experts_per_token * width if model.experts else 0


def _latent_context(model: Transformer, start: Start) -> float:
    """Latent attention profiles the expansion of cached context (`MLAAttention.forward_impl`)."""
    if not model.latent_size:
        return 0
    wanted = max(8 * start.max_model_len, 4 * start.max_num_seqs * 16)
    tokens = max(min(wanted, LATENT_WORKSPACE_TOKENS), start.max_num_seqs * 16)
    heads = model.attention_heads / start.tensor_parallel
    expanded = tokens * heads * (model.nope_head_size + model.value_head_size)
    return start.element_bytes * (expanded + tokens * (model.latent_size + model.rope_head_size))


def _spread(model: Transformer, start: Start) -> tuple[float, float]:
    measured = model.architecture in MEASURED_ARCHITECTURES and _measured_release(start)
    return MEASURED if measured and start.tensor_parallel == 1 else SIMILAR


def _measured_release(start: Start) -> bool:
    return start.surely_since(MEASURED_SINCE) and start.surely_before(MEASURED_BEFORE)
