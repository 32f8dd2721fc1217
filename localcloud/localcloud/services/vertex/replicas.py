"""The running containers of deployed models. One process serves a deployed model, whatever its replica counts say."""

import http.client
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from localcloud.containers.programs import find_image
from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud, Part
from localcloud.process.processes import Child
from localcloud.services.vertex import registry
from localcloud.services.vertex.container_account import container_member, lend_artifacts, take_artifacts_back
from localcloud.services.vertex.container_spec import deployment_seconds
from localcloud.services.vertex.launch import Launch, plan_launch
from localcloud.services.vertex.log_places import note_place
from localcloud.services.vertex.records import ENDPOINTS, PENDING_DEPLOYMENTS
from localcloud.services.vertex.resource_names import EndpointName, read_endpoint, read_model

_LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_PROBE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


class Replica:
    """One container, from its start to `stop`. Once it has been healthy it is started again whenever it ends."""

    def __init__(self, cloud: Cloud, make_launch: Callable[[], Launch]) -> None:
        self._cloud = cloud
        self._make_launch = make_launch
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._ready = threading.Event()
        self._child: Child | None = None
        self.launch = make_launch()

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    def start(self) -> None:
        """Raises ApiError FAILED_PRECONDITION when the program cannot be started, ABORTED after `stop`."""
        with self._lock:
            if self._stopped.is_set():
                raise ApiError("ABORTED", "The container was stopped before it was started.")
            self.launch = self._make_launch()
            try:
                self._child = self._cloud.processes.spawn(
                    self.launch.argv, log=self.launch.log, environment=self.launch.environment
                )
            except OSError as error:
                raise ApiError("FAILED_PRECONDITION", f"{self.launch.argv[0]} cannot be started: {error}") from error
            except RuntimeError as error:
                raise ApiError("ABORTED", str(error)) from error

    def wait_healthy(self, timeout_seconds: float) -> bool:
        """True when the health route answered 200; False when the process ended, or not in time, or after `stop`."""
        deadline = time.monotonic() + timeout_seconds
        while self.running and not self.stopped and time.monotonic() < deadline:
            if _is_healthy(self.launch):
                self._ready.set()
                return True
            self._stopped.wait(_POLL_SECONDS)
        return False

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def keep_running(self, timeout_seconds: float) -> None:
        """From now on, in a thread: starts the container when it does not run, with growing pauses."""
        name = f"keep {self.launch.log.stem}"
        threading.Thread(target=self._keep_running, args=(timeout_seconds,), name=name, daemon=True).start()

    def stop(self) -> None:
        """Returns when nothing of the container runs any more."""
        self._stopped.set()
        self._ready.clear()
        with self._lock:
            child = self._child
        if child is not None:
            child.stop()

    def _keep_running(self, timeout_seconds: float) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self.stopped:
            if self.ready or self._start_again(timeout_seconds):
                self._wait_for_end()
                pause = _FIRST_PAUSE_SECONDS
            if not self.stopped:
                _LOG.warning("%s does not run; it is started again in %.0f s", self.launch.log.stem, pause)
                self._stopped.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _wait_for_end(self) -> None:
        if self._child is not None:
            self._child.wait()
        self._ready.clear()

    def _start_again(self, timeout_seconds: float) -> bool:
        try:
            self.start()
        except ApiError as error:
            _LOG.warning("%s: %s", self.launch.log.stem, error.message)
            return False
        if self.wait_healthy(timeout_seconds):
            return True
        if self._child is not None:
            self._child.stop()
        return False


class Replicas(Part):
    """All replicas of one cloud, by endpoint and deployed model."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._replicas: dict[tuple[str, str], Replica] = {}
        self._lock = threading.Lock()
        self._closed = False

    def create(self, endpoint: EndpointName, deployed: Any) -> Replica:
        """A replica that is not started yet. Raises ApiError when the model or its image cannot be run here."""
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
        """Stops the replica, if there is one, and forgets it."""
        replica = self.find(endpoint, deployed_model_id)
        take_artifacts_back(self._cloud, endpoint, deployed_model_id)
        if replica is not None:
            replica.stop()
            with self._lock:
                self._replicas.pop((str(endpoint), deployed_model_id), None)

    def start(self) -> None:
        """Starts, in the background, the models that were deployed when the daemon ended.

        A deployment that was under way then is given up, as its operation is.
        """
        for name, _ in self._cloud.store.items(PENDING_DEPLOYMENTS):
            self._cloud.store.delete(PENDING_DEPLOYMENTS, name)
        for record in self._cloud.store.list(ENDPOINTS):
            endpoint = read_endpoint(record.name, self._cloud)
            for deployed in record.deployed_models:
                self._restore_one(endpoint, deployed)

    def stop(self) -> None:
        """Stops all, at the same time; none is started any more."""
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
        stem = f"{endpoint.endpoint_id}-{deployed.id}"
        note_place(self._cloud.state.container_logs / f"{stem}.log", endpoint)
        return plan_launch(
            endpoint=endpoint,
            deployed=deployed,
            version=version,
            image=find_image(version.container_spec.image_uri, self._cloud.image_files),
            port=_free_port(),
            ready_file=_unused(self._cloud.state.run / f"{stem}.ready"),
            log=self._cloud.state.container_logs / f"{stem}.log",
            cloud_environment=self._cloud.environment(container_member(endpoint, deployed)),
        )


def server_exited(endpoint: EndpointName, log: Path) -> ApiError:
    """The container ended before it was healthy, in Vertex AI's words (seen in googleapis/python-aiplatform#4559)."""
    return _failure("Model server exited unexpectedly.", endpoint, log)


def never_ready(endpoint: EndpointName, log: Path) -> ApiError:
    """The container did not become healthy in time, in Vertex AI's words."""
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


def _is_healthy(launch: Launch) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", launch.port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", launch.health_route)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unused(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path
