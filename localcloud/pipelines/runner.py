"""The process that runs one pipeline job: `python -m localcloud.pipelines.runner --job FILE`.

It appends what happens to the run directory's events file, one JSON object a line. A file named `cancel` there cancels
the job: the exit handler then still runs. SIGTERM, or the end of standard input, stops everything at once.
"""

import argparse
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.pipelines.job import AttemptFailed, Event, Job, Values
from localcloud.pipelines.run_directory import RunDirectory
from localcloud.pipelines.task_process import TaskProcesses
from localcloud.processes import watch_lifeline

if TYPE_CHECKING:
    from localcloud.pipelines.dag import Task

_CANCEL_POLL_SECONDS = 0.2


class Events:
    """Appends events to a file, each at once, until they are closed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")
        self._lock = threading.Lock()

    def send(self, event: Event) -> None:
        with self._lock:
            if not self._file.closed:
                self._file.write(event.model_dump_json() + "\n")
                self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()


class KfpTasks:
    """Runs components through kfp.local, each in a process, and uploads what they produce."""

    def __init__(self, job: Job, directory: RunDirectory, processes: TaskProcesses, events: Events) -> None:
        from localcloud.pipelines import kfp_local
        from localcloud.pipelines.artifacts import Artifacts

        self._job = job
        self._directory = directory
        self._processes = processes
        self._events = events
        self._artifacts = Artifacts(job, directory.outputs)
        kfp_local.install(directory.outputs, directory.workspace)

    def run(self, task: "Task", arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        from localcloud.pipelines import kfp_local, placeholders
        from localcloud.pipelines.dag import TaskFailedError

        names, whole = placeholders.task_names(self._job, task.path), bool(self._job.kfp_run_name)
        executors = self._job.spec["deploymentSpec"]["executors"]
        process = _TaskRun(task, self._directory, Path(self._job.log_directory), self._processes, self._events)
        outputs = kfp_local.run_task(
            task.name,
            task.spec,
            task.component,
            placeholders.substitute(executors[task.component["executorLabel"]], names, whole=whole),
            directory=process.outputs,
            arguments=placeholders.substitute(dict(arguments), names, whole=whole),
            run_process=process.run,
        )
        if outputs is None:
            raise TaskFailedError(process.failure)
        self._artifacts.publish(task.path, process.outputs, outputs)
        return outputs

    def describe(self, values: Mapping[str, Any]) -> Values:
        return self._artifacts.records(values)


class _TaskRun:
    """The attempts of one task."""

    def __init__(
        self, task: "Task", directory: RunDirectory, logs: Path, processes: TaskProcesses, events: Events
    ) -> None:
        unique_name = ".".join(task.path)
        self.outputs = directory.outputs / unique_name
        self.failure = ""
        self._task = task
        self._scratch = directory.scratch / unique_name
        self._log = logs / f"{unique_name}.log"
        self._processes = processes
        self._events = events

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        if self.failure:
            self._events.send(AttemptFailed(path=self._task.path, error=self.failure))
        self._scratch.mkdir(parents=True, exist_ok=True)
        result = self._processes.run(
            command,
            environment={**os.environ, **environment},
            directory=self._scratch,
            log=self._log,
            uncancellable=self._task.is_exit,
        )
        if result.returncode:
            self.failure = (
                f"{result.cause or 'It printed nothing.'} (exit status {result.returncode}, log: {self._log})"
            )
        return result.returncode == 0


def run_job(job: Job, events: Events, processes: TaskProcesses) -> None:
    """Runs the job to its end; what becomes of it is told by its events alone."""
    from localcloud.pipelines.dag import Dag
    from localcloud.pipelines.placeholders import job_names, substitute

    names, whole = job_names(job), bool(job.kfp_run_name)
    dag = Dag(
        substitute(job.spec, names, whole=whole),
        KfpTasks(job, RunDirectory(Path(job.run_directory)), processes, events),
        events.send,
        job_name=job.name,
        fail_fast=job.fail_fast,
        is_cancelled=lambda: processes.cancelled,
    )
    dag.run(substitute(job.parameters, names, whole=whole))


def _watch_cancel_file(path: Path, processes: TaskProcesses) -> None:
    def watch() -> None:
        waiting = threading.Event()
        while not path.exists():
            waiting.wait(_CANCEL_POLL_SECONDS)
        processes.cancel()

    threading.Thread(target=watch, name="cancel", daemon=True).start()


def _stop_with_daemon(processes: TaskProcesses, directory: RunDirectory, events: Events) -> None:
    def stop() -> None:
        # The tasks that are ended now have not failed: the daemon says of the job that it was stopped.
        events.close()
        processes.stop()
        shutil.rmtree(directory.root, ignore_errors=True)
        os._exit(1)

    watch_lifeline(stop)
    # In a thread: the main one may hold a lock that `stop` needs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop, name="stop").start())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m localcloud.pipelines.runner")
    parser.add_argument("--job", required=True, type=Path)
    job = Job.model_validate_json(parser.parse_args().job.read_text())
    directory = RunDirectory(Path(job.run_directory))
    processes = TaskProcesses(directory.processes, job.grace_seconds, Path(job.fork_server))
    events = Events(directory.events)
    _stop_with_daemon(processes, directory, events)
    _watch_cancel_file(directory.cancel, processes)
    run_job(job, events, processes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
