"""Where chaos runs happen: a local cloud of their own, with warm steps, a fast model server, two models and a token."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from localcloud import daemon
from localcloud.daemon import Connection
from tests.canary import new_canary
from tests.chaos.repository import write_repository
from tests.trust import trust_its_own_authority_alone
from tests.vertex_vllm.model_server import PROGRAM
from vertex_vllm.local import ADDITIONS

REGION = "us-central1"
SMALL_MODEL, LARGE_MODEL = "chaos/small", "chaos/large"
# Command that runs in the place of vLLM's images. -S: it needs no installed package, and starts sooner.
_IMAGES = {"images": [{"image": "*vllm*", "command": ["{python}", "-S", PROGRAM]}]}


@dataclass
class Place:
    """A local cloud of its own, which can be started again after a crash."""

    cloud: Connection
    token: str

    @property
    def state_dir(self) -> Path:
        return self.cloud.state_dir

    def restart(self) -> None:
        """Starts the crashed cloud again, from its state, on the same ports."""
        again = _up(self.state_dir)
        assert again.environment == self.cloud.environment, "somebody took a port of the crashed local cloud's"
        self.cloud = again

    def close(self) -> None:
        daemon.down(self.state_dir)


def _up(state_dir: Path) -> Connection:
    cloud = daemon.up(state_dir, lifeline=True, additions=ADDITIONS)
    trust_its_own_authority_alone(cloud)
    return cloud


def open_place(state_dir: Path) -> Place:
    """This process's Google clients must not have been imported yet, or with `daemon.plan(state_dir)` in force."""
    os.environ.update(daemon.plan(state_dir))
    cloud = _up(state_dir)
    (state_dir / "images.yaml").write_text(yaml.safe_dump(_IMAGES))
    for model in (SMALL_MODEL, LARGE_MODEL):
        folder = state_dir / "models" / model
        write_repository(folder, large=model == LARGE_MODEL)
        cloud.admin("PUT", "/_local/hub/repos", {"id": model, "path": str(folder), "gated": True})
    token = new_canary()
    digest = hashlib.sha256(token.encode()).hexdigest()
    granted = [SMALL_MODEL, LARGE_MODEL]
    cloud.admin("PUT", "/_local/hub/tokens", {"sha256": digest, "user": "chaos", "granted": granted})
    return Place(cloud, token)
