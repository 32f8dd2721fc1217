"""A request to the Hub as a value, with the data that answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from localcloud.core.rest_request import RestRequest
from localcloud.services.hub.content_network import ContentNetwork
from localcloud.services.hub.hashes import FileHashes
from localcloud.services.hub.hub_access import visible_repo
from localcloud.services.hub.registry import Repo, Token
from localcloud.services.hub.snapshots import Snapshot, find_snapshot


@dataclass(frozen=True)
class Hub:
    data_dir: Path
    clock: Callable[[], datetime]
    hashes: FileHashes
    content_network: ContentNetwork


@dataclass(frozen=True)
class Visit(RestRequest):
    """A request to the Hub."""

    hub: Hub
    token: Token | None
    """The caller's; None: anonymous."""

    @property
    def repo_id(self) -> str:
        return f"{self.names['owner']}/{self.names['name']}"

    @property
    def revision(self) -> str:
        return self.names.get("revision") or "main"

    def repo(self) -> Repo:
        """Raises HubError (401, 404)."""
        return visible_repo(self.hub.data_dir, self.repo_id, self.token)

    def snapshot(self) -> Snapshot:
        """Raises HubError (401, 404)."""
        return find_snapshot(self.repo(), self.revision, self.hub.hashes)

    def flag(self, parameter: str) -> bool:
        return self.query.get(parameter, "").lower() in ("true", "1")


Handler = Callable[[Visit], Response]


def base_url(request: Request) -> str:
    """Scheme and host as the client sees them: `https` for the real Hub's host, whose TLS the proxy has ended."""
    host = request.headers.get("host", "localhost")
    scheme = "https" if host.partition(":")[0].endswith(("huggingface.co", "hf.co")) else request.url.scheme
    return f"{scheme}://{host}"
