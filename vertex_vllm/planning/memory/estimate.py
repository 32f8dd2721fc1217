"""Whether vLLM starts, and with how much cache: vLLM's `determine_available_memory`, with intervals."""

import math
from dataclasses import dataclass
from typing import Literal

from vertex_vllm.model.transformer import Transformer, defaults_of
from vertex_vllm.planning.memory.activation import activation_term
from vertex_vllm.planning.memory.cache import CacheLayout, cache_layout
from vertex_vllm.planning.memory.interval import GIB, Interval, Term
from vertex_vllm.planning.memory.lora import lora_term
from vertex_vllm.planning.memory.overhead import (
    CUDA_CONTEXT,
    MLLAMA,
    beyond_requested,
    graph_estimate_term,
    image_term,
    non_torch_term,
)
from vertex_vllm.planning.memory.start import CACHE_BYTES, Start
from vertex_vllm.planning.memory.weights import LINEAR_BYTES, weights_term

# 8-bit floating point in hardware; below it vLLM's attention kernels take an 8-bit cache in some versions only.
FP8_CAPABILITY = (8, 9)
Verdict = Literal["fits", "does not fit", "uncertain"]


@dataclass(frozen=True)
class MemoryEstimate:
    """Terms of the memory of one GPU, and vLLM's verdict on them."""

    start: Start
    """The sizes and limits that vLLM is started with."""
    model: Transformer
    requested: int
    """`ceil(total × gpu_memory_utilization)`: bytes that vLLM may take."""
    terms: tuple[Term, ...]
    """Bytes deducted from `requested`; the rest is the KV cache."""
    cache: Interval
    """Bytes for the KV cache; below 0 where nothing is left."""
    layout: CacheLayout
    """Blocks and bytes per token of the cache."""
    needed: float
    """Bytes of cache for one request of `max_model_len` tokens: with less, vLLM refuses to start."""
    verdict: Verdict
    reasons: tuple[str, ...]
    """Sentences that explain the verdict."""
    conclusive: bool
    """False: facts are missing, so the verdict rests on the weights alone."""

    @property
    def blocks(self) -> int:
        """Likely number of the cache's blocks; 0 where no memory is left."""
        return max(0, int(self.cache.likely // self.layout.block_bytes)) if self.layout.block_bytes else 0

    @property
    def requests_at_worst(self) -> int:
        """Requests of `max_model_len` tokens that the cache surely holds at once."""
        return int(max(0.0, self.cache.low) // self.needed) if self.needed else 0

    @property
    def cache_tokens(self) -> int:
        return self.layout.tokens_in(self.blocks, self.start)


def estimate_memory(model: Transformer, start: Start) -> MemoryEstimate:
    """The estimate. Never raises: unknown facts make the verdict `uncertain`, and `reasons` names them."""
    unknown = _unknown(model, start)
    activation = activation_term(model, start, known=not unknown)
    images = image_term(model, start)
    lora = lora_term(model, start)
    terms = [weights_term(model, start), *([lora] if lora else []), activation, *([images] if images else [])]
    terms.append(non_torch_term(start))
    terms.append(graph_estimate_term(model, start))
    requested = math.ceil(start.total_bytes * start.gpu_memory_utilization)
    cache = Interval.exact(requested)
    for term in terms:
        cache += -term.amount
    layout = cache_layout(model, start)
    needed = layout.block_bytes * layout.blocks_of_request(start.max_model_len, start)
    verdict, reasons = _judge(model, start, requested, tuple(terms), cache, needed, unknown)
    conclusive = not unknown or verdict == "does not fit"
    return MemoryEstimate(start, model, requested, tuple(terms), cache, layout, needed, verdict, reasons, conclusive)


def _judge(
    model: Transformer,
    start: Start,
    requested: int,
    terms: tuple[Term, ...],
    cache: Interval,
    needed: float,
    unknown: tuple[str, ...],
) -> tuple[Verdict, tuple[str, ...]]:
    refusals = _refusals(model, start, requested)
    if not unknown or start.weight_bytes:
        refusals += _shortage(start, terms, cache, needed, unknown)
    if refusals:
        return "does not fit", tuple(refusals)
    if unknown:
        return "uncertain", (*unknown, *start.unmodelled)
    doubts = [*start.unmodelled]
    if cache.low < needed:
        doubts.append(
            f"{needed / GIB:.2f} GiB of cache are needed, between {cache.low / GIB:.2f} and {_high(cache)} left"
        )
    peak = requested + beyond_requested(model, start)
    if peak > start.total_bytes:
        over = (peak - start.total_bytes) / GIB
        doubts.append(
            f"CUDA's context, graphs and buffers may take {over:.2f} GiB more than the card has beyond `requested`"
        )
    return ("uncertain", tuple(doubts)) if doubts else ("fits", ())


def _refusals(model: Transformer, start: Start, requested: int) -> list[str]:
    """Reasons for which vLLM refuses to start with any memory, or on this card."""
    found = []
    shards = start.tensor_parallel * start.pipeline_stages
    if shards > start.gpus:
        found.append(f"world size {shards} is larger than the {start.gpus} GPUs")
    if model.context_length and start.max_model_len > model.context_length:
        found.append(f"max_model_len {start.max_model_len} is more than the model's {model.context_length}")
    if model.attention_heads and model.attention_heads % start.tensor_parallel:
        found.append(f"{model.attention_heads} attention heads cannot be split over {start.tensor_parallel} GPUs")
    if start.max_num_batched_tokens < start.max_num_seqs:
        # vLLM `SchedulerConfig.verify_max_model_len`.
        found.append(
            f"a step of {start.max_num_batched_tokens} tokens (max_num_batched_tokens) is less than "
            f"max_num_seqs {start.max_num_seqs}"
        )
    if requested > start.total_bytes - CUDA_CONTEXT.low:
        found.append(
            f"an empty card has less free memory than gpu_memory_utilization {start.gpu_memory_utilization:g} asks for"
        )
    return found


def _shortage(
    start: Start, terms: tuple[Term, ...], cache: Interval, needed: float, unknown: tuple[str, ...]
) -> list[str]:
    if cache.high <= 0:
        parts = ", ".join(f"{term.name} {term.amount.likely / GIB:.1f}" for term in terms if term.amount.likely)
        return [f"at best {-cache.high / GIB:.1f} GiB too little before any cache ({parts} GiB)"]
    # Without the model's shape the bytes of a token are not known either.
    if cache.high < needed and not unknown:
        left = f"{_high(cache)} are left at best"
        return [f"one request of {start.max_model_len} tokens needs {needed / GIB:.2f} GiB of cache, {left}"]
    return []


def _unknown(model: Transformer, start: Start) -> tuple[str, ...]:
    """Reasons for an uncertain verdict: missing facts."""
    found = [f"{name} is not known" for name in model.missing]
    if defaults_of(model.architecture) is None:
        found.append(f"how {model.architecture or 'this architecture'} uses memory is not known")
    if not start.weight_bytes and start.quantization not in ("", *LINEAR_BYTES):
        found.append(f"how much {start.quantization} weights take is not known")
    if model.vision and not (model.image_tokens and model.image_width):
        found.append("the size of the vision tower is not known")
    if model.architecture == MLLAMA and start.surely_since("0.11.0"):
        found.append(f"{MLLAMA} falls back to a generic class in this vLLM")
    if start.kv_cache_dtype not in ("auto", *CACHE_BYTES):
        found.append(f"how much a cache of {start.kv_cache_dtype} takes is not known")
    if start.cache_element_bytes == 1 and (0,) < start.compute_capability < FP8_CAPABILITY:
        told = ".".join(map(str, start.compute_capability))
        found.append(f"whether a card of compute capability {told} keeps an 8-bit cache depends on the kernel")
    if start.loras and (model.experts or model.latent_size):
        found.append("what LoRA takes in a model with experts or latent attention is not known")
    return tuple(found)


def _high(cache: Interval) -> str:
    return f"{max(0.0, cache.high) / GIB:.2f}"
