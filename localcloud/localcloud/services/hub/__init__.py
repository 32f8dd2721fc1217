"""The Hugging Face Hub on one machine, over plain directories: what huggingface_hub needs to find and read models."""

from localcloud.services.hub.hub_app import HubApp, create_app
from localcloud.services.hub.registry import add_repo, add_token

__all__ = ["HubApp", "add_repo", "add_token", "create_app"]
