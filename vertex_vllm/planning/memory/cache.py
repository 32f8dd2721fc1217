"""The KV cache: bytes of a block, blocks that a request takes, tokens that fit."""

from dataclasses import dataclass

from vertex_vllm.model.transformer import Transformer
from vertex_vllm.planning.memory.start import Start

# A window keeps the blocks of all steps that are under way (`VllmConfig.max_in_flight_tokens`): one more than there are
# pipeline stages, since 0.26.0, whose scheduler runs ahead; before, one step.
IN_FLIGHT_SINCE = "0.26.0"


@dataclass(frozen=True)
class CacheLayout:
    """How layers share blocks (vLLM `_get_kv_cache_groups_uniform_page_size`)."""

    block_bytes: float
    """Bytes of one block: `block_tokens` tokens in each layer of a group."""
    full_groups: int
    window_groups: int
    window: int
    image_tokens: int
    """Tokens of one image, kept for cross attention."""

    def blocks_of_request(self, tokens: int, start: Start) -> int:
        """Blocks that one request of `tokens` takes at most (`max_memory_usage_bytes` over the groups)."""
        blocks = self.full_groups * _blocks(tokens, start)
        if self.window_groups:
            # A window moves on by whole steps of prefill before its oldest tokens are dropped, and begins anywhere.
            steps = 1 if start.surely_before(IN_FLIGHT_SINCE) else start.pipeline_stages + 1
            live = min(self.window - 1 + steps * start.max_num_batched_tokens, tokens)
            blocks += self.window_groups * (_blocks(live, start) + 1)
        return blocks + (_blocks(self.image_tokens, start) * self.full_groups if self.image_tokens else 0)

    def tokens_in(self, blocks: int, start: Start) -> int:
        """Tokens that vLLM logs as `GPU KV cache size` (`get_kv_cache_capacity`)."""
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
    page = start.block_tokens * group * token_bytes_of_layer(model, start)
    image_tokens = model.image_tokens if model.cross_attention_layers else 0
    return CacheLayout(page, groups[0], groups[1], model.sliding_window, image_tokens)


def token_bytes_of_layer(model: Transformer, start: Start) -> int:
    """Bytes of keys and values, or latent, of a token per layer and GPU (`FullAttentionSpec`, `MLAAttentionSpec`)."""
    if model.latent_size:
        return (model.latent_size + model.rope_head_size) * start.cache_element_bytes
    heads = max(1, model.key_value_heads // start.tensor_parallel)
    return 2 * heads * model.head_size * start.cache_element_bytes


def _blocks(tokens: int, start: Start) -> int:
    return -(-tokens // start.block_tokens)
