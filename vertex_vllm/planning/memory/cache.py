"""The KV cache: bytes of a block, blocks that a request takes, tokens that fit."""

from dataclasses import dataclass

from vertex_vllm.planning.memory.start import Start
from vertex_vllm.planning.transformer import Transformer

# Tokens of one block (vLLM `CacheConfig.DEFAULT_BLOCK_SIZE`); latent attention's kernels take 64 on some cards, which
# changes rounding alone.
BLOCK_TOKENS = 16


@dataclass(frozen=True)
class CacheLayout:
    """How layers share blocks (vLLM `_get_kv_cache_groups_uniform_page_size`)."""

    block_bytes: float
    """One block id: `BLOCK_TOKENS` tokens in each layer of a group."""
    full_groups: int
    window_groups: int
    window: int
    image_tokens: int
    """Of one image, kept for cross attention."""

    def blocks_of_request(self, tokens: int, start: Start) -> int:
        """Blocks that one request of `tokens` takes at most (`max_memory_usage_bytes` over the groups)."""
        blocks = self.full_groups * _blocks(tokens)
        if self.window_groups:
            # A window moves on by a whole step of prefill before its oldest tokens are dropped, and begins anywhere.
            live = min(self.window - 1 + start.max_num_batched_tokens, tokens)
            blocks += self.window_groups * (_blocks(live) + 1)
        return blocks + (_blocks(self.image_tokens) * self.full_groups if self.image_tokens else 0)

    def tokens_in(self, blocks: int, start: Start) -> int:
        """What vLLM logs as `GPU KV cache size` (`get_kv_cache_capacity`)."""
        per_request = self.blocks_of_request(start.max_model_len, start)
        return int(blocks / per_request * start.max_model_len) if per_request else 0


def cache_layout(model: Transformer, start: Start) -> CacheLayout:
    """Layers on this GPU's pipeline stage, grouped as vLLM's hybrid cache does; without windows, one group."""
    layers = -(-model.layers // start.pipeline_stages)
    sliding = min(-(-model.sliding_layers // start.pipeline_stages), layers)
    # The hybrid cache came with 0.10.0 of the V1 engine; before, windows took the blocks of the whole context.
    if sliding and start.surely_since("0.10.0"):
        full = layers - sliding
        smaller, larger = sorted((full, sliding))
        group = larger if not smaller or larger < 1.5 * smaller else smaller
        groups = (-(-full // group), -(-sliding // group))
    else:
        group, groups = layers, (1, 0)
    page = BLOCK_TOKENS * group * token_bytes_of_layer(model, start)
    image_tokens = model.image_tokens if model.cross_attention_layers else 0
    return CacheLayout(page, groups[0], groups[1], model.sliding_window, image_tokens)


def token_bytes_of_layer(model: Transformer, start: Start) -> int:
    """One token's keys and values, or its latent, in one layer on one GPU (`FullAttentionSpec`, `MLAAttentionSpec`)."""
    if model.latent_size:
        return (model.latent_size + model.rope_head_size) * start.cache_element_bytes
    heads = max(1, model.key_value_heads // start.tensor_parallel)
    return 2 * heads * model.head_size * start.cache_element_bytes


def _blocks(tokens: int) -> int:
    return -(-tokens // BLOCK_TOKENS)
