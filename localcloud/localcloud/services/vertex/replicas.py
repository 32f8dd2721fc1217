"""The running containers of deployed models. One process serves a deployed model, whatever its replica count."""

import logging
import socket
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

from localcloud.containers.launch import Launch
from localcloud.containers.programs import find_image
from localcloud.containers.replica import Replica
from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud, Part
from localcloud.services.docker_registry.tag_digests import tagged
from localcloud.services.vertex import registry
from localcloud.services.vertex.container_account import container_member, lend_artifacts, take_artifacts_back
from localcloud.services.vertex.container_launch import plan_launch
from localcloud.services.vertex.container_spec import deployment_seconds
from localcloud.services.vertex.log_places import note_place
from localcloud.services.vertex.records import ENDPOINTS, PENDING_DEPLOYMENTS
from localcloud.services.vertex.resource_names import EndpointName, read_endpoint, read_model

_LOG = logging.getLogger(__name__)


class Replicas(Part):
    """All replicas of one cloud, by endpoint and deployed model."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._replicas: dict[tuple[str, str], Replica] = {}
        self._lock = threading.Lock()
        self._closed = False

    def create(self, endpoint: EndpointName, deployed: Any) -> Replica:
        """A replica that is not started yet. Raises ApiError if the model or its image cannot run here."""
        replica = Replica(self._cloud, lambda: self._launch(endpoint, deployed))
        with self._lock:
            if self._closed:
                raise ApiError("ABORTED", "The local cloud is stopping.")
            self._replicas[str(endpoint), deployed.id] = replica
        return replica

    def find(self, endpoint: EndpointName, deployed_model_id: str) -> Replica | None:
        with self._lock:
            return self._replicas.get((str(endpoint), deployed_model_id))

    def remove(self, endpoint: EndpointName, deployed_model_id: str) -> None:
        """Stops and removes the replica, if it exists."""
        replica = self.find(endpoint, deployed_model_id)
        take_artifacts_back(self._cloud, endpoint, deployed_model_id)
        if replica is not None:
            replica.stop()
            with self._lock:
                self._replicas.pop((str(endpoint), deployed_model_id), None)

    def start(self) -> None:
        """Starts, in the background, the models that were deployed when the previous daemon ended.

        An unfinished deployment is dropped, like its operation.
        """
        for name, _ in self._cloud.store.items(PENDING_DEPLOYMENTS):
            self._cloud.store.delete(PENDING_DEPLOYMENTS, name)
        for record in self._cloud.store.list(ENDPOINTS):
            endpoint = read_endpoint(record.name, self._cloud)
            for deployed in record.deployed_models:
                self._restore_one(endpoint, deployed)

    def stop(self) -> None:
        """Stops all replicas at the same time, and starts no more."""
        with self._lock:
            self._closed = True
            replicas = list(self._replicas.values())
        stopping = [threading.Thread(target=replica.stop) for replica in replicas]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()

    def _restore_one(self, endpoint: EndpointName, deployed: Any) -> None:
        try:
            seconds = deployment_seconds(self._version(deployed).container_spec)
            self.create(endpoint, deployed).keep_running(seconds)
        except ApiError as error:
            _LOG.error("%s, deployed model %s, cannot be started: %s", endpoint, deployed.id, error.message)

    def _version(self, deployed: Any) -> Any:
        return registry.find_version(
            self._cloud, read_model(f"{deployed.model}@{deployed.model_version_id}", self._cloud)
        )

    def _launch(self, endpoint: EndpointName, deployed: Any) -> Launch:
        version = self._version(deployed)
        lend_artifacts(self._cloud, endpoint, deployed, version.artifact_uri)
        image_uri = tagged(self._cloud, version.container_spec.image_uri)
        stem = f"{endpoint.endpoint_id}-{deployed.id}"
        note_place(self._cloud.state.container_logs / f"{stem}.log", endpoint, self._cloud.clock.ahead)
        return plan_launch(
            endpoint=endpoint,
            deployed=deployed,
            version=version,
            image=find_image(image_uri, self._cloud.image_files),
            image_uri=image_uri,
            port=_free_port(),
            ready_file=_unused(self._cloud.state.run / f"{stem}.ready"),
            log=self._cloud.state.container_logs / f"{stem}.log",
            cloud_environment=self._cloud.environment(container_member(endpoint, deployed)),
        )


def server_exited(endpoint: EndpointName, log: Path) -> ApiError:
    """The container ended before it was healthy: Vertex AI's message (googleapis/python-aiplatform#4559)."""
    return _failure("Model server exited unexpectedly.", endpoint, log)


def never_ready(endpoint: EndpointName, log: Path) -> ApiError:
    """The container did not become healthy in time: Vertex AI's message."""
    advice = "Please validate that your model file or container configuration are valid."
    return _failure(f"Model server never became ready. {advice}", endpoint, log)


def _failure(reason: str, endpoint: EndpointName, log: Path) -> ApiError:
    kind = "aiplatform.googleapis.com/Endpoint"
    query = (
        f'resource.type="{kind}"\nresource.labels.endpoint_id="{endpoint.endpoint_id}"\n'
        f'resource.labels.location="{endpoint.location.region}"'
    )
    link = (
        f"https://console.cloud.google.com/logs/viewer?project={endpoint.location.project_number}"
        f"&resource={quote(kind, safe='')}&advancedFilter={quote(query, safe='')}"
    )
    return ApiError(
        "FAILED_PRECONDITION", f"{reason} Model server logs can be found at {link}. On this machine they are in {log}."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unused(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path
