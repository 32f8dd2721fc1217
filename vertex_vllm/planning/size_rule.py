"""A simple size rule: memory that one accelerator needs, and memory that it has.

Two terms are lower bounds (weights as stored, the cache for one request of full length). The other terms are flat
margins from other projects' experience, on the high side for text models. Not modelled: activations by batch
size, CUDA graphs, sliding windows, latent attention, the vision encoder of anything but Llama 3.2.
"""

from dataclasses import dataclass

from vertex_vllm.catalog.rows import Accelerator, Machine
from vertex_vllm.model.facts import ModelFacts, number_bytes
from vertex_vllm.planning.settings import Settings

GIB = 2**30
# KAITO's estimator: 1.02 × weights + 2.3 GiB an accelerator + cache (its documentation; the factor is the allocator's
# rounding, measured at 1.003 to 1.007 for Llama on an H200). High for one small model, low for many sequences.
WEIGHTS_FACTOR = 1.02
RUNTIME_GIB = 2.3
# vllm-project/vllm#12126: Llama 3.2 11B Vision profiled 128 sequences, an image each, with 36.63 GiB of activations.
IMAGE_GIB_PER_SEQUENCE = 36.63 / 128
# vLLM's API server, engine and workers each import PyTorch, 1 to 2 GiB each; some room for the system.
HOST_PROCESSES_GIB = 8
SHARED_MEMORY_MB = 16 * 1024


@dataclass(frozen=True)
class MemoryNeed:
    """GiB on each accelerator."""

    weights: float
    cache: float
    """Cache for one request of `max_model_len` tokens: with less, vLLM refuses to start."""
    runtime: float
    images: float

    @property
    def certain(self) -> float:
        """Without the margins."""
        return self.weights / WEIGHTS_FACTOR + self.cache

    @property
    def total(self) -> float:
        return self.weights + self.cache + self.runtime + self.images

    def __str__(self) -> str:
        images = f", images {self.images:.1f}" if self.images else ""
        return (
            f"weights {self.weights:.1f}, cache for one full request {self.cache:.1f}, vLLM {self.runtime:.1f}{images}"
        )


def memory_need(facts: ModelFacts, settings: Settings, tensor_parallel: int, dtype: str) -> MemoryNeed:
    """Memory that each accelerator must hold with the model split over `tensor_parallel` × pipeline stages of them.

    `dtype` is what it computes in. Weights count as they are loaded, not as they are stored: float32 files shrink.
    """
    shards = tensor_parallel * settings.pipeline_parallel_size
    shape = facts.shape
    heads = max(1, shape.key_value_heads // tensor_parallel)
    # vLLM, kv_cache_dtype=auto: numbers of the cache are of the type that it computes in.
    cache_per_token = 2 * shape.layers * heads * shape.head_size * number_bytes(dtype) / settings.pipeline_parallel_size
    return MemoryNeed(
        weights=facts.loaded_bytes(dtype) / shards / GIB * WEIGHTS_FACTOR,
        cache=cache_per_token * settings.max_model_len / GIB,
        runtime=RUNTIME_GIB,
        images=IMAGE_GIB_PER_SEQUENCE * settings.max_num_seqs if facts.vision else 0.0,
    )


def memory_budget(accelerator: Accelerator, settings: Settings) -> float:
    """GiB of each accelerator that vLLM may take."""
    return accelerator.visible_gib * settings.gpu_memory_utilization


def host_shortage(facts: ModelFacts, machine: Machine) -> str:
    """Why the machine's own memory is too small; empty: it holds the weights while they are read, and /dev/shm."""
    need = SHARED_MEMORY_MB / 1024 + facts.weight_bytes / GIB + HOST_PROCESSES_GIB
    if need <= machine.host_memory_gib:
        return ""
    # Digits enough that the two figures differ.
    told = f"{need:.0f}" if round(need) > machine.host_memory_gib else f"{need:.1f}"
    return (
        f"its {machine.host_memory_gib:g} GiB of host memory are fewer than {told}: weights, "
        f"{SHARED_MEMORY_MB // 1024} of shared memory and {HOST_PROCESSES_GIB} for processes"
    )
