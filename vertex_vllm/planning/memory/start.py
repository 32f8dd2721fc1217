"""A start of vLLM on one kind of GPU: everything besides the model that its memory depends on."""

from dataclasses import dataclass

from vertex_vllm.planning.memory.interval import GIB
from vertex_vllm.vllm_versions import VersionRange, version_key

# vLLM `EngineArgs.get_batch_defaults`, API server: tokens a step by the card's memory. The A100 is named there as the
# exception, because its 80 GB card is not as fast as its memory is large. The largest cards have theirs since 0.28.0.
LARGEST_CARD_GIB, LARGE_CARD_GIB = 160, 70
LARGEST_SINCE = "0.28.0"
BATCHED_TOKENS = {"largest": 16384, "large": 8192, "other": 2048}
# Cards that count as `other` with any memory.
SMALL_BATCH_CARDS = ("NVIDIA_TESLA_A100", "NVIDIA_A100_80GB")
# Numbers of a cache of these types take one byte; others that are not listed are unknown.
CACHE_BYTES = {"fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "fp8_inc": 1, "bfloat16": 2, "float16": 2, "half": 2}
# `CacheConfig.DEFAULT_BLOCK_SIZE`; latent attention's kernels take 64 on some cards, which changes rounding alone.
BLOCK_TOKENS = 16


@dataclass(frozen=True)
class Start:
    total_bytes: int
    """Memory of one GPU as PyTorch reports it."""
    gpus: int
    """GPUs in the machine."""
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    gpu_memory_utilization: float
    tensor_parallel: int = 1
    pipeline_stages: int = 1
    element_bytes: int = 2
    """Bytes of an activation, and of a weight that is not quantised: 2 for bfloat16 and float16."""
    quantization: str = ""
    """Empty: weights of `element_bytes`."""
    kv_cache_dtype: str = "auto"
    enforce_eager: bool = False
    warm_compile_cache: bool = False
    """torch.compile's results of an earlier start are on the disk. A new container has none."""
    versions: VersionRange | None = None
    """vLLM's; None: not known."""
    weight_bytes: int = 0
    """Bytes of all tensors as loaded; 0: not known, computed from the architecture."""
    block_tokens: int = BLOCK_TOKENS
    compute_capability: tuple[int, ...] = ()
    """Of the card; empty: not known."""
    loras: int = 0
    """Adapters held on the GPU at once."""
    lora_rank: int = 16
    speculation: str = ""
    """Method of speculative decoding."""
    unmodelled: tuple[str, ...] = ()
    """Arguments whose effect on memory the model does not contain."""

    @property
    def cache_element_bytes(self) -> int:
        return CACHE_BYTES.get(self.kv_cache_dtype, self.element_bytes)

    def surely_since(self, version: str) -> bool:
        return self.versions is not None and version_key(self.versions.earliest) >= version_key(version)

    def surely_before(self, version: str) -> bool:
        return self.versions is not None and version_key(self.versions.latest) < version_key(version)


def default_batched_tokens(total_bytes: int, accelerator: str, versions: VersionRange | None = None) -> int:
    """`max_num_batched_tokens` where it is not set; the larger where vLLM's version leaves both."""
    if accelerator in SMALL_BATCH_CARDS or total_bytes < LARGE_CARD_GIB * GIB:
        return BATCHED_TOKENS["other"]
    before = versions is not None and version_key(versions.latest) < version_key(LARGEST_SINCE)
    return BATCHED_TOKENS["large" if before or total_bytes < LARGEST_CARD_GIB * GIB else "largest"]
