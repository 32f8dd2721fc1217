"""The memory model applied to a machine: memory of a plan's settings on one of its accelerators, in bytes."""

from vertex_vllm.catalog.rows import Accelerator, Machine
from vertex_vllm.model.facts import ModelFacts, number_bytes
from vertex_vllm.planning.image_choice import ImageChoice
from vertex_vllm.planning.memory.estimate import MemoryEstimate, estimate_memory
from vertex_vllm.planning.memory.interval import GIB
from vertex_vllm.planning.memory.overhead import MLLAMA
from vertex_vllm.planning.memory.remedies import remedies
from vertex_vllm.planning.memory.start import Start, default_batched_tokens
from vertex_vllm.planning.settings import Settings


def estimate_on(
    machine: Machine,
    accelerator: Accelerator,
    tensor_parallel: int,
    facts: ModelFacts,
    settings: Settings,
    image: ImageChoice,
    dtype: str,
) -> MemoryEstimate:
    """`dtype` is what the card computes in, never `auto`."""
    total = int(accelerator.visible_gib * GIB)
    tokens = settings.max_num_batched_tokens or _default_tokens(total, accelerator, facts, settings, image)
    online = settings.quantization if not facts.quantization else ""
    start = Start(
        total_bytes=total,
        gpus=machine.count,
        max_model_len=settings.max_model_len,
        max_num_seqs=settings.max_num_seqs,
        max_num_batched_tokens=tokens,
        gpu_memory_utilization=settings.gpu_memory_utilization,
        tensor_parallel=tensor_parallel,
        pipeline_stages=settings.pipeline_parallel_size,
        element_bytes=number_bytes(dtype),
        quantization=facts.quantization or online,
        kv_cache_dtype=settings.kv_cache_dtype,
        enforce_eager=settings.enforce_eager,
        versions=image.versions,
        # Weights that are quantised while they load are no longer as large as stored.
        weight_bytes=0 if online else facts.loaded_bytes(dtype),
        block_tokens=settings.block_tokens,
        compute_capability=accelerator.capability,
        loras=settings.loras,
        lora_rank=settings.lora_rank,
        speculation=settings.speculation,
        unmodelled=settings.unmodelled,
    )
    return estimate_memory(facts.shape, start)


def _default_tokens(
    total: int, accelerator: Accelerator, facts: ModelFacts, settings: Settings, image: ImageChoice
) -> int:
    """Tokens per step by default (`_set_default_max_num_seqs_and_batched_tokens_args`)."""
    tokens = default_batched_tokens(total, accelerator.accelerator, image.versions)
    if facts.architecture == MLLAMA:
        # Encoder-decoder models have no chunked prefill: a step holds a whole prompt.
        tokens = max(tokens, settings.max_model_len)
    return max(1, min(tokens, settings.max_num_seqs * settings.max_model_len))


def describe(estimate: MemoryEstimate) -> str:
    """Verdict, terms in GiB on each accelerator, and the tokens that the cache holds."""
    terms = ", ".join(f"{term.name} {term.amount.likely / GIB:.1f}" for term in estimate.terms)
    left = f"{max(0.0, estimate.cache.likely) / GIB:.1f} of {estimate.requested / GIB:.1f} GiB for the cache"
    text = f"{estimate.verdict}: {terms}; {left}, {estimate.cache_tokens} tokens"
    return text if estimate.verdict == "fits" else f"{text}; {'; '.join(estimate.reasons)}"


def would_fit(estimate: MemoryEstimate) -> str:
    """Changes of the config with which the model would fit on the same machine; empty: none is known."""
    gpus = estimate.start.gpus
    found = remedies(estimate.model, estimate.start)
    return " or ".join(remedy.change for remedy in found if remedy.estimate.start.gpus == gpus)
