"""The two fork servers of a local cloud whose pipelines start from warm processes: for runners, and for steps."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.pipelines.worker import common_environment

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

_OF_RUNNERS = ("localcloud.pipelines.dag", "localcloud.pipelines.artifacts", "localcloud.pipelines.placeholders")
# Not its `executor_main`, which each step runs as its main program.
_OF_STEPS = ("kfp.dsl.executor",)
# Bytes of a socket's path, of which every system allows about as many (unix(7)).
_LONGEST_PATH = 100


@dataclass(frozen=True)
class WarmPrograms:
    """Sockets of two servers that end when the daemon does."""

    runners: Path
    steps: Path

    @classmethod
    def start(cls, cloud: "Cloud", modules: Sequence[str]) -> "WarmPrograms":
        """Returns at once: who asks waits until they are warm. Raises ValueError where a path would be too long."""
        programs = cls(cloud.state.run / "runners.socket", cloud.state.run / "steps.socket")
        if len(str(programs.runners)) > _LONGEST_PATH:
            raise ValueError(f"{programs.runners} is too long for a socket: give the state directory a shorter path")
        home = cloud.state.run / "warm-home"
        home.mkdir(exist_ok=True)
        # Modules read their environment as they are imported: what all steps of this cloud have in common is there.
        # One thread: numpy's library would open others, which a fork does not have.
        shared = {**common_environment(cloud.environment(), os.environ), "HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}
        _spawn(cloud, programs.runners, _OF_RUNNERS, shared)
        # kfp imports less of itself in a step, and a step must not find more.
        _spawn(cloud, programs.steps, (*_OF_STEPS, *modules), {**shared, "_KFP_RUNTIME": "true"})
        return programs


def _spawn(cloud: "Cloud", socket: Path, modules: Sequence[str], environment: Mapping[str, str]) -> None:
    socket.unlink(missing_ok=True)
    argv = [sys.executable, "-P", "-m", "localcloud.warm.server", "--socket", str(socket)]
    argv += [word for name in modules for word in ("--import", name)]
    cloud.processes.spawn(argv, log=cloud.state.logs / f"{socket.stem}.log", environment=environment)
