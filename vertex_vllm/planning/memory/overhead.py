"""Memory of a GPU besides weights, activations and cache: CUDA's context, libraries, graphs, images in profiling."""

import math

from vertex_vllm.model.transformer import Transformer
from vertex_vllm.planning.memory.interval import GIB, Interval, Term, either
from vertex_vllm.planning.memory.runner import Setup, setups
from vertex_vllm.planning.memory.start import Start

# Bytes, measured on an H200 before vLLM's first snapshot (`init_non_torch`): outside of `requested`, but on the card.
CUDA_CONTEXT = Interval(0.25 * GIB, 0.514 * GIB, 0.6 * GIB)
# `non_torch_increase` of `memory_profiling`: 0.2246 to 0.2402 GiB in 39 starts on an H200; 0.16 in a log of Llama 3.2
# Vision (vllm-project/vllm#12126).
NON_TORCH = Interval(0.15 * GIB, 0.2246 * GIB, 0.26 * GIB)
# With more GPUs NCCL and the custom all-reduce take theirs. Not measured here: with the upper end, the worst of all
# terms for a 70B on eight L4 is what KAITO reserves in all (2.3 GiB a GPU).
NON_TORCH_PARALLEL = Interval(0.15 * GIB, 0.8 * GIB, 1.5 * GIB)
# CUDA graphs of 256 sequences: a fixed part and one a layer (H200, V2 runner, 0.26.0), growing about as the square root
# of the sequences between 16 and 1024. What V1 deducts of it was 72 to 81 %.
GRAPHS, GRAPHS_PER_LAYER, GRAPH_SEQUENCES = 0.225 * GIB, 0.011 * GIB, 256
GRAPH_ESTIMATE = 0.62
# Of V2's graphs, what V1 captures (0.498 of 0.586 GiB); and how far the formula was exceeded at most, with room.
GRAPHS_V1, GRAPHS_WORST = 0.85, 1.2
# V2 samples in 32 bits after the cache is allocated, outside of its profile: with these bytes a logit, and slack of the
# allocator, a start at utilization 0.98 (256 sequences) and the largest overrun (1024) come out, 1.7 and 3.2 GiB.
V2_SAMPLER_BYTES, SLACK = 12, 0.25 * GIB
# `profile_cudagraph_memory` deducts from the cache since these versions; on V2 it answered 0 before.
GRAPHS_DEDUCTED_SINCE = {"V1": "0.21.0", "V2": "0.30.0"}
# `EncoderRunner.profile_encoder_cache` came to V2 with this version; before, V2 profiled text alone.
V2_PROFILES_IMAGES_SINCE = "0.27.0"
# Llama 3.2 Vision: 36.63 GiB at 128 images, 18.7 times the 1.954 GiB of one copy of its image tokens
# (vllm-project/vllm#12126; the copy's size matches the tutorial's out-of-memory log at 256 images: 3.91 GiB).
MLLAMA_COPIES = 18.7
# A vision transformer's own peak: hidden, residual, norm, queries, keys, values, and four widths twice. Not measured.
ENCODER_COPIES = 14
MLLAMA = "MllamaForConditionalGeneration"
MLLAMA_SOURCE = "vllm-project/vllm#12126"


def non_torch_term(start: Start) -> Term:
    if start.tensor_parallel * start.pipeline_stages > 1:
        return Term("non-torch", NON_TORCH_PARALLEL, "NCCL and CUDA libraries on several GPUs; not measured")
    return Term("non-torch", NON_TORCH, "CUDA libraries, measured on an H200")


def graphs(model: Transformer, start: Start) -> Interval:
    """Bytes that capturing CUDA graphs takes on the card."""
    if start.enforce_eager:
        return Interval.exact(0)
    grown = math.sqrt(max(1, start.max_num_seqs) / GRAPH_SEQUENCES)
    layers = -(-model.layers // start.pipeline_stages)
    return Interval.about((GRAPHS + GRAPHS_PER_LAYER * layers) * grown, 0.4, 1.5)


def beyond_requested(model: Transformer, start: Start) -> float:
    """Bytes on the card outside of what vLLM counts, at worst: context, graphs that it does not deduct, buffers."""
    return CUDA_CONTEXT.high + SLACK + max(_uncounted(setup, model, start) for setup in _setups(model, start))


def _uncounted(setup: Setup, model: Transformer, start: Start) -> float:
    captured = graphs(model, start).likely * GRAPHS_WORST
    if setup.runner == "V1":
        return captured * GRAPHS_V1 * (1 - GRAPH_ESTIMATE if _deducts(setup) else 1)
    images = 0.0 if not model.vision or _profiles_images(setup) else _images(model, start).likely
    return captured + V2_SAMPLER_BYTES * start.max_num_seqs * model.vocabulary + images


def graph_estimate_term(model: Transformer, start: Start) -> Term:
    """Memory that vLLM deducts for graphs before it sizes the cache."""
    taken = graphs(model, start)
    estimate = Interval(GRAPH_ESTIMATE * taken.low, GRAPH_ESTIMATE * taken.likely, taken.high)
    nothing = Interval.exact(0)
    deducting = {_deducts(setup): setup.runner for setup in _setups(model, start)}
    if start.enforce_eager or True not in deducting:
        return Term("CUDA graphs", nothing, "not deducted" if start.enforce_eager else "not deducted by this vLLM")
    if False in deducting:
        return Term("CUDA graphs", either(estimate, nothing), "deducted by some of these vLLM versions")
    return Term("CUDA graphs", estimate, f"deducted on the {deducting[True]} model runner; measured on an H200")


def _setups(model: Transformer, start: Start) -> tuple[Setup, ...]:
    return setups(model, start, *GRAPHS_DEDUCTED_SINCE.values(), V2_PROFILES_IMAGES_SINCE)


def _deducts(setup: Setup) -> bool:
    return setup.since(GRAPHS_DEDUCTED_SINCE[setup.runner])


def _profiles_images(setup: Setup) -> bool:
    return setup.runner == "V1" or setup.since(V2_PROFILES_IMAGES_SINCE)


def image_term(model: Transformer, start: Start) -> Term | None:
    """Images in the profiling run; None for a model that takes none."""
    if not model.vision:
        return None
    profiling = {_profiles_images(setup) for setup in _setups(model, start)}
    if model.architecture == MLLAMA:
        # vLLM up to 0.10.2, the last to have it, profiles an image for each sequence.
        return Term("images", _images(model, start), f"{start.max_num_seqs} profiled, one a sequence; {MLLAMA_SOURCE}")
    if True not in profiling:
        return Term("images", Interval.exact(0), "none profiled on the V2 model runner before 0.27")
    _, budget, images = _encoder_batch(model, start)
    told = f"{images} images profiled (encoder budget of {budget} tokens); not measured"
    amount = _images(model, start)
    return Term("images", either(amount, Interval.exact(0)) if False in profiling else amount, told)


def _images(model: Transformer, start: Start) -> Interval:
    """Peak of the vision tower over the images of one step."""
    copy, budget, images = _encoder_batch(model, start)
    if model.architecture == MLLAMA:
        # On several GPUs hidden states are whole on each and only the inner parts are split.
        least = 0.9 if start.tensor_parallel == 1 else 0.4
        return Interval.about(MLLAMA_COPIES * copy * start.max_num_seqs, least, 1.1)
    output = budget * model.hidden_size * start.element_bytes
    return Interval.about(ENCODER_COPIES * copy * images + output, 0.2, 3)


def _encoder_batch(model: Transformer, start: Start) -> tuple[int, int, int]:
    """Bytes of one image's hidden states, tokens of the encoder's budget, images in it (`MultiModalBudget`)."""
    budget = max(start.max_num_batched_tokens, model.image_tokens)
    images = max(1, min(budget // max(1, model.image_tokens), start.max_num_seqs))
    return model.image_tokens * model.image_width * start.element_bytes, budget, images
