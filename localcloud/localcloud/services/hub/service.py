"""Registration of the Hugging Face Hub, and of its content network, which the same application answers."""

from starlette.types import ASGIApp, Scope

from localcloud.core.cloud import Cloud
from localcloud.core.registration import Host, Registration
from localcloud.services.hub import content_network
from localcloud.services.hub.hub_app import create_app


def _app(cloud: Cloud) -> ASGIApp:
    return create_app(cloud.state.hub, cloud.clock)


def _api_of(scope: Scope) -> str:
    """The page that counts the content network's requests belongs to no API."""
    if scope["path"] == content_network.STATUS:
        return ""
    return "content-network" if scope["path"].startswith(content_network.PREFIX) else "hub"


SERVICE = Registration(api="hub", hosts=(Host("huggingface.co"), Host("cdn-lfs.hf.co")), app=_app, api_of=_api_of)
