"""The two fork servers of a local cloud's pipelines: one forks runners, one forks steps."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud import process_table
from localcloud.pipelines.worker import common_environment

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.processes import Child

_OF_RUNNERS = ("localcloud.pipelines.dag", "localcloud.pipelines.artifacts", "localcloud.pipelines.placeholders")
# Not `executor_main` of kfp, which each step runs as its main program.
_OF_STEPS = ("kfp.dsl.executor",)


@dataclass(frozen=True)
class ForkServers:
    """The sockets of two servers, and their processes, which end when the daemon does."""

    runners: Path
    steps: Path
    processes: tuple["Child", ...]

    @classmethod
    def start(cls, cloud: "Cloud") -> "ForkServers":
        """Starts both servers and returns at once: the first client waits until its server has imported everything."""
        runners, steps = cloud.state.run / "runners.socket", cloud.state.run / "steps.socket"
        home = cloud.state.run / "warm-home"
        home.mkdir(exist_ok=True)
        # Modules read their environment when they are imported: give them what all steps of this cloud share.
        # One thread: numpy's library would open others, which a fork does not have.
        shared = {**common_environment(cloud.environment(), os.environ), "HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}
        # kfp imports less of itself in a step, and a step must not find more.
        of_steps = {**shared, "_KFP_RUNTIME": "true"}
        processes = (
            _spawn(cloud, runners, _OF_RUNNERS, shared),
            _spawn(cloud, steps, (*_OF_STEPS, *cloud.warm_modules), of_steps),
        )
        return cls(runners, steps, processes)

    @property
    def running(self) -> bool:
        return all(
            process.returncode is None and process_table.start_time(process.pid) is not None
            for process in self.processes
        )


def _spawn(cloud: "Cloud", socket: Path, modules: Sequence[str], environment: Mapping[str, str]) -> "Child":
    socket.unlink(missing_ok=True)
    argv = [sys.executable, "-P", "-m", "localcloud.warm.server", "--socket", str(socket)]
    argv += [word for name in modules for word in ("--import", name)]
    return cloud.processes.spawn(argv, log=cloud.state.logs / f"{socket.stem}.log", environment=environment)
