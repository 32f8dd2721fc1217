"""The two fork servers of a local cloud's pipelines: one forks runners, one forks steps."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.process import process_table
from localcloud.services.pipelines.worker import common_environment

if TYPE_CHECKING:
    from localcloud.core.cloud import Cloud
    from localcloud.process.processes import Child

_OF_RUNNERS = ("localcloud.services.pipelines.dag", "localcloud.services.pipelines.artifacts", "google.cloud.storage")
# Not `executor_main` of kfp, which each step runs as its main program.
_OF_STEPS = ("kfp.dsl.executor", "localcloud.services.pipelines.step_interpreter")


class ForkServers:
    """Starts each server at its first use, and again if it has ended; both end with the daemon."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self._running: dict[str, Child] = {}

    def runners(self) -> Path:
        """The socket of the server that forks runners. Raises RuntimeError once the daemon is stopping."""
        return self._socket("runners", _OF_RUNNERS, {})

    def steps(self) -> Path:
        """The socket of the server that forks steps. Raises RuntimeError once the daemon is stopping."""
        # With `_KFP_RUNTIME`, as in any step, kfp imports only a part of itself.
        return self._socket("steps", (*_OF_STEPS, *self._cloud.additions.warm_modules), {"_KFP_RUNTIME": "true"})

    def _socket(self, name: str, modules: Sequence[str], environment: Mapping[str, str]) -> Path:
        """The socket of a server, started if needed. Returns at once: the first client waits for the imports."""
        socket = self._cloud.state.run / f"{name}.socket"
        if name not in self._running or not _runs(self._running[name]):
            socket.unlink(missing_ok=True)
            argv = [sys.executable, "-P", "-m", "localcloud.process.fork_server", "--socket", str(socket)]
            argv += [word for module in modules for word in ("--import", module)]
            self._running[name] = self._cloud.processes.spawn(
                argv, log=self._cloud.state.logs / f"{name}.log", environment={**self._shared(), **environment}
            )
        return socket

    def _shared(self) -> dict[str, str]:
        """The variables that all steps of this cloud share, because modules read the environment at their import."""
        home = self._cloud.state.run / "warm-home"
        home.mkdir(exist_ok=True)
        shared = common_environment(self._cloud.environment(), os.environ)
        # One thread: numpy's OpenBLAS would start others, which a fork does not inherit.
        return {**shared, "HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}


def _runs(process: "Child") -> bool:
    # A server that was killed has no return code until it has been waited for.
    return process.returncode is None and process_table.start_time(process.pid) is not None
