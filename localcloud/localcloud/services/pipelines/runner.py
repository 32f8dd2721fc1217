"""The process that runs one pipeline job: `python -m localcloud.services.pipelines.runner --job FILE`.

It appends events to a file in the run directory, one JSON object per line. A file named `cancel` in that directory
cancels the job; the exit handler still runs. SIGTERM, or the end of standard input, stops everything at once.
"""

import argparse
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.process.processes import watch_lifeline
from localcloud.services.pipelines.job import ArtifactRecord, AttemptFailed, Event, Job
from localcloud.services.pipelines.run_directory import RunDirectory
from localcloud.services.pipelines.task_process import TaskProcesses

if TYPE_CHECKING:
    from localcloud.services.pipelines.dag import Task

_CANCEL_POLL_SECONDS = 0.2


class Events:
    """Appends events to a file and flushes each, until `close()`."""

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


class ComponentTasks:
    """Runs components, each in a process, and uploads their outputs."""

    def __init__(self, job: Job, directory: RunDirectory, processes: TaskProcesses, events: Events) -> None:
        from localcloud.services.pipelines.artifacts import Artifacts

        self._job = job
        self._directory = directory
        self._processes = processes
        self._events = events
        self._artifacts = Artifacts(job, directory)

    def run(self, task: "Task", arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        from localcloud.services.pipelines import importer, placeholders
        from localcloud.services.pipelines.executor_input import executor_input, output_records

        names, whole = placeholders.task_names(self._job, task.path), bool(self._job.kfp_run_name)
        names = {**names, "workspace_path": str(self._directory.workspace)}
        executor = self._job.spec["deploymentSpec"]["executors"][task.component["executorLabel"]]
        executor = placeholders.substitute(executor, names, whole=whole)
        artifacts = self._artifacts
        records = output_records(
            task.component, lambda output: artifacts.name(task.path, output), artifacts.folder_uri(task.path)
        )
        told = executor_input(
            task.component,
            placeholders.substitute(dict(arguments), names, whole=whole),
            records,
            artifacts.folder(task.path),
        )
        if "importer" in executor:
            return importer.imported(executor["importer"], told, records)
        return self._run_container(task, executor["container"], told, records)

    def _run_container(
        self, task: "Task", container: Mapping[str, Any], told: Any, records: "Mapping[str, ArtifactRecord]"
    ) -> Mapping[str, Any]:
        from localcloud.services.pipelines.component_command import resolved_command
        from localcloud.services.pipelines.dag import TaskFailedError
        from localcloud.services.pipelines.executor_input import written_artifacts, written_parameters
        from localcloud.services.pipelines.retry_policy import attempt
        from localcloud.services.pipelines.step_packages import step_variables, without_satisfied_install

        # Only the folder of the executor's output is made here; a container's shell writes its other outputs itself.
        Path(told["outputs"]["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
        command = [*container.get("command", []), *container.get("args", [])]
        variables = {variable["name"]: variable.get("value", "") for variable in container.get("env", [])}
        resolved = without_satisfied_install(resolved_command(command, told, self._artifacts.local_path))
        process = _TaskRun(task, self._directory, self._job, self._processes, self._events)
        packages = step_variables(self._directory, process.scratch, str(container.get("image", "")))
        environment = {**self._artifacts.variables(), **packages, **variables}
        if not attempt(lambda: process.run(resolved, environment), task.spec):
            self._upload_written(records)
            raise TaskFailedError(process.failure)
        parameters = written_parameters(task.component, told)
        return {**parameters, **self._artifacts.publish(written_artifacts(told, records))}

    def _upload_written(self, records: "Mapping[str, ArtifactRecord]") -> None:
        """Uploads the files of a failed task: on Vertex AI, files below /gcs are in their bucket immediately.

        An error of the upload is ignored, so that the task's own failure is reported.
        """
        from google.api_core.exceptions import GoogleAPIError

        with suppress(GoogleAPIError):
            self._artifacts.publish({name: (record, "") for name, record in records.items()})


class _TaskRun:
    """The attempts of one task."""

    def __init__(
        self, task: "Task", directory: RunDirectory, job: Job, processes: TaskProcesses, events: Events
    ) -> None:
        unique_name = ".".join(task.path)
        self.failure = ""
        self._task = task
        self.scratch = directory.scratch / unique_name
        self._log = Path(job.log_directory) / f"{unique_name}.log"
        self._processes = processes
        self._events = events

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        if self.failure:
            self._events.send(AttemptFailed(path=self._task.path, error=self.failure))
        self.scratch.mkdir(parents=True, exist_ok=True)
        result = self._processes.run(
            command,
            environment={**os.environ, **environment},
            directory=self.scratch,
            log=self._log,
            uncancellable=self._task.is_exit,
        )
        if result.returncode:
            self.failure = (
                f"{result.cause or 'It printed nothing.'} (exit status {result.returncode}, log: {self._log})"
            )
        return result.returncode == 0


def run_job(job: Job, events: Events, processes: TaskProcesses) -> None:
    """Runs the job to its end. The events are its only result."""
    from localcloud.services.pipelines.dag import Dag
    from localcloud.services.pipelines.placeholders import job_names, substitute

    names, whole = job_names(job), bool(job.kfp_run_name)
    dag = Dag(
        substitute(job.spec, names, whole=whole),
        ComponentTasks(job, RunDirectory(Path(job.run_directory)), processes, events),
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
        # Ended tasks must not be reported as failed: the daemon reports that the job was stopped.
        events.close()
        processes.stop()
        shutil.rmtree(directory.root, ignore_errors=True)
        os._exit(1)

    watch_lifeline(stop)
    # In a thread, because the main thread may hold a lock that `stop` needs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop, name="stop").start())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m localcloud.services.pipelines.runner")
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
