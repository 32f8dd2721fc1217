"""The Hugging Face Hub: token, access, listing, facts; everything but moving the weights."""

from vertex_vllm.hub.token import hub_token

__all__ = ["hub_token"]
