"""Where chaos runs happen: a local cloud of their own, with warm steps, a fast model server, two models and a token."""

import hashlib
import os
import pkgutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

import vertex_vllm
from localcloud import daemon
from localcloud.daemon import Connection
from tests.chaos.repository import write_repository

REGION = "us-central1"
SMALL_MODEL, LARGE_MODEL = "chaos/small", "chaos/large"
_MODEL_SERVER = Path(__file__).resolve().parents[1] / "vertex_vllm" / "model_server.py"
# Everything that stands for an image of vLLM's. -S: it needs nothing that is installed, and starts sooner.
_IMAGES = {"images": [{"image": "*vllm*", "command": ["{python}", "-S", str(_MODEL_SERVER)]}]}


def warm_modules() -> tuple[str, ...]:
    """What a step may import."""
    ours = [
        module.name
        for module in pkgutil.walk_packages(vertex_vllm.__path__, "vertex_vllm.")
        if not module.name.startswith(("vertex_vllm.cli", "vertex_vllm.bootstrap", "vertex_vllm.publishing"))
        and not module.name.endswith("__main__")
    ]
    return (
        "google.auth.compute_engine",
        "google.auth.transport.requests",
        "google.cloud.aiplatform_v1",
        "google.cloud.aiplatform_v1beta1",
        "google.cloud.cloudquotas_v1",
        "google.cloud.secretmanager",
        "google.cloud.storage",
        "google_cloud_pipeline_components.types.artifact_types",
        "httpx2",
        "huggingface_hub.hf_api",
        "jinja2",
        "matplotlib.figure",
        "matplotlib.backends.backend_svg",
        *ours,
    )


@dataclass
class Place:
    """One local cloud, brought up again where it has crashed."""

    cloud: Connection
    token: str
    warm: Sequence[str]

    @property
    def state_dir(self) -> Path:
        return self.cloud.state_dir

    def restart(self) -> None:
        """After a crash: from its state, on the same ports."""
        again = daemon.up(self.state_dir, lifeline=True, warm_modules=self.warm)
        assert again.environment == self.cloud.environment, "somebody took a port of the crashed local cloud's"
        self.cloud = again

    def close(self) -> None:
        daemon.down(self.state_dir)


def open_place(state_dir: Path) -> Place:
    """This process's Google clients must not have been imported yet, or with `daemon.plan(state_dir)` in force."""
    warm = warm_modules()
    os.environ.update(daemon.plan(state_dir))
    cloud = daemon.up(state_dir, lifeline=True, warm_modules=warm)
    (state_dir / "images.yaml").write_text(yaml.safe_dump(_IMAGES))
    for model in (SMALL_MODEL, LARGE_MODEL):
        folder = state_dir / "models" / model
        write_repository(folder, large=model == LARGE_MODEL)
        cloud.admin("PUT", "/_local/hub/repos", {"id": model, "path": str(folder), "gated": True})
    token = f"hf_canary{uuid.uuid4().hex}"
    digest = hashlib.sha256(token.encode()).hexdigest()
    granted = [SMALL_MODEL, LARGE_MODEL]
    cloud.admin("PUT", "/_local/hub/tokens", {"sha256": digest, "user": "chaos", "granted": granted})
    return Place(cloud, token, warm)
