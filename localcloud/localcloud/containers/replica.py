"""A running container of a deployed model: a process with health checks, started again when it ends."""

import http.client
import logging
import threading
import time
from collections.abc import Callable

from localcloud.containers.launch import Launch
from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.process.processes import Child

_LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_PROBE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


class Replica:
    """A container, from its start to `stop`. Once it has been healthy it is started again whenever it ends."""

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
        """Starts a thread that restarts the container whenever it ends, with growing pauses."""
        name = f"keep {self.launch.log.stem}"
        threading.Thread(target=self._keep_running, args=(timeout_seconds,), name=name, daemon=True).start()

    def stop(self) -> None:
        """Stops the container, and returns when all of its processes have ended."""
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


def _is_healthy(launch: Launch) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", launch.port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", launch.health_route)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
