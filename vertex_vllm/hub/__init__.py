"""The Hugging Face Hub: token, access, listing, ranged reads, facts."""

from vertex_vllm.hub.token import hub_token

__all__ = ["hub_token"]
