"""Deployments of the echo container, and their processes."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.waiting import PATIENCE_SECONDS

REGION = "us-central1"
ECHO_IMAGE = "us-docker.pkg.dev/own/containers/echo:1"
ECHO_ROW = {
    "image": "us-docker.pkg.dev/own/containers/echo:*",
    "command": [sys.executable, str(Path(__file__).with_name("echo_container.py"))],
}
_OPTIONS = {"api_endpoint": f"{REGION}-aiplatform.googleapis.com"}


@dataclass(frozen=True)
class Clients:
    """GAPIC clients of one API version over one transport."""

    gapic: ModuleType
    transport: str

    @property
    def models(self) -> Any:
        return self.gapic.ModelServiceClient(transport=self.transport, client_options=_OPTIONS)

    @property
    def endpoints(self) -> Any:
        return self.gapic.EndpointServiceClient(transport=self.transport, client_options=_OPTIONS)

    @property
    def predictions(self) -> Any:
        return self.gapic.PredictionServiceClient(transport=self.transport, client_options=_OPTIONS)


def upload_echo(clients: Clients, image: str, parent: str, **environment: str) -> str:
    """The resource name of a model whose container gets `environment`."""
    model = {
        "display_name": "echo",
        "container_spec": {
            "image_uri": image,
            "args": ["--model=gs://models/echo"],
            "predict_route": "/generate",
            "health_route": "/ping",
            "env": [{"name": name, "value": value} for name, value in environment.items()],
        },
    }
    return str(clients.models.upload_model(parent=parent, model=model).result().model)


def deployed_model(model: str, **dedicated_resources: Any) -> dict[str, Any]:
    machine = {"machine_type": "g2-standard-12", "accelerator_type": "NVIDIA_L4", "accelerator_count": 1}
    return {
        "model": model,
        "display_name": "echo",
        "dedicated_resources": {"machine_spec": machine, "min_replica_count": 1, **dedicated_resources},
    }


def create_endpoint(clients: Clients, parent: str, **fields: Any) -> Any:
    return clients.endpoints.create_endpoint(parent=parent, endpoint={"display_name": "car", **fields}).result()


def containers_of(endpoint_name: str) -> list[int]:
    """Processes that serve the endpoint, from what the kernel knows of their environments.

    An endpoint of another local cloud on this machine may have the same id, but not the same project number.
    """
    _, project_number, *_, endpoint = endpoint_name.split("/")
    marks = {f"AIP_PROJECT_NUMBER={project_number}", f"AIP_ENDPOINT_ID={endpoint}"}
    return [int(entry.name) for entry in Path("/proc").iterdir() if marks <= set(_environment(entry))]


def environment_of(process: int) -> dict[str, str]:
    """The variables that a process was started with."""
    pairs = (variable.partition("=") for variable in _environment(Path(f"/proc/{process}")))
    return {name: value for name, _, value in pairs}


def _environment(process: Path) -> list[str]:
    if not process.name.isdigit() or int(process.name) == os.getpid():
        return []
    try:
        return (process / "environ").read_text(errors="replace").split("\0")
    except OSError:  # it ended meanwhile, or is another user's
        return []


def deploy(clients: Any, endpoint: Any, deployed: dict[str, Any], split: dict[str, int] | None = None) -> Any:
    """Starts the deployment, and returns its operation."""
    return clients.endpoints.deploy_model(
        endpoint=endpoint.name, deployed_model=deployed, traffic_split={"0": 100} if split is None else split
    )


def undeploy(clients: Any, endpoint: Any, deployed_model_id: str, split: dict[str, int] | None = None) -> None:
    clients.endpoints.undeploy_model(
        endpoint=endpoint.name, deployed_model_id=deployed_model_id, traffic_split=split or {}
    ).result(timeout=PATIENCE_SECONDS)
