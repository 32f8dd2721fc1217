"""The daemon's side of pipeline runs: one runner process per job, whose events become the job's details."""

import contextlib
import logging
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from google.cloud.aiplatform_v1beta1.types import PipelineFailurePolicy, PipelineState
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import member_of
from localcloud.core.cloud import Cloud, Part
from localcloud.core.store import Kind
from localcloud.process.processes import Child, end_orphans
from localcloud.services.pipelines import task_details
from localcloud.services.pipelines.fork_servers import ForkServers
from localcloud.services.pipelines.job import KFP_LOCATION, Event, Job, TaskEnded, parse_event
from localcloud.services.pipelines.run_directory import RunDirectory
from localcloud.services.pipelines.task_details import FINAL_STATES, JOB
from localcloud.services.pipelines.worker import worker_environment

_LOG = logging.getLogger(__name__)

PIPELINE_JOBS = Kind("pipeline job", JOB)

_POLL_SECONDS = 0.1
_STOPPED = "The local cloud was stopped while this job was running."


class PipelineRuns(Part):
    """The running jobs of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Child, threading.Thread]] = {}
        self._stopping = False
        self._fork_servers = ForkServers(cloud)

    def run(self, message: Any, schedule_time: str = "") -> None:
        """Starts the runner of a stored job.

        Raises ApiError UNAVAILABLE while the daemon stops, or if no runner can be started.
        """
        runners, steps = self._sockets()
        job = _job(self._cloud, message, schedule_time, str(steps))
        directory = RunDirectory(Path(job.run_directory))
        directory.create()
        directory.job.write_text(job.model_dump_json())
        environment = worker_environment(
            job,
            cloud=self._cloud.environment(_member(self._cloud, message)),
            daemon=os.environ,
            labels=dict(message.labels),
            interpreter=sys.executable,
        )
        argv = [sys.executable, "-P", "-m", "localcloud.services.pipelines.runner", "--job", str(directory.job)]
        log = Path(job.log_directory).with_suffix(".log")
        with self._lock:
            try:
                child = self._cloud.processes.spawn(argv, log=log, environment=environment, fork_server=runners)
            except (RuntimeError, OSError) as error:
                shutil.rmtree(directory.root)
                raise ApiError("UNAVAILABLE", str(error)) from error
            thread = threading.Thread(target=self._follow, args=(job, child, log), name=job.name, daemon=True)
            self._running[job.name] = (child, thread)
            thread.start()

    def _sockets(self) -> tuple[Path, Path]:
        """The sockets of the running servers that fork runners and steps."""
        try:
            with self._lock:
                return self._fork_servers.runners(), self._fork_servers.steps()
        except RuntimeError as error:
            raise ApiError("UNAVAILABLE", str(error)) from error

    def cancel(self, message: Any) -> None:
        """Asks the job's runner to cancel; does not wait for it."""
        # Without a directory, the job has just ended, or is about to start and will read its state first.
        with contextlib.suppress(FileNotFoundError):
            RunDirectory(_run_directory(self._cloud, message)).cancel.touch()

    def stop(self) -> None:
        """Ends every run; the jobs end as FAILED."""
        with self._lock:
            self._stopping = True
            running = list(self._running.values())
        for child, _ in running:
            child.terminate()
        for child, thread in running:
            child.stop()
            thread.join()

    def start(self) -> None:
        """Ends the jobs that an earlier daemon left unfinished, with their processes and files."""
        for message in self._cloud.store.list(PIPELINE_JOBS):
            if message.state not in FINAL_STATES:
                end_orphans(RunDirectory(_run_directory(self._cloud, message)).processes, grace_seconds=0)
                self._end(message.name, None, _STOPPED)
        shutil.rmtree(_runs(self._cloud), ignore_errors=True)

    def _follow(self, job: Job, child: Child, log: Path) -> None:
        directory = RunDirectory(Path(job.run_directory))
        end: TaskEnded | None = None
        try:
            end = self._apply_events(job.name, directory, child)
        except Exception:
            _LOG.exception("the events of %s cannot be applied", job.name)
            child.stop()
        # A job has ended when its processes and files are removed, not when its last task ends.
        end_orphans(directory.processes, grace_seconds=0)
        shutil.rmtree(directory.root, ignore_errors=True)
        reason = f"The process that ran this job ended with status {child.returncode}; its log is {log}."
        self._end(job.name, end, _STOPPED if self._stopping else reason)
        with self._lock:
            del self._running[job.name]

    def _apply_events(self, name: str, directory: RunDirectory, child: Child) -> TaskEnded | None:
        """Applies the runner's events to the job until the runner ends. Returns the pipeline's end, if reported."""
        if self._cloud.store.require(PIPELINE_JOBS, name).state == PipelineState.PIPELINE_STATE_CANCELLING:
            directory.cancel.touch()  # cancelled before the directory existed
        end: TaskEnded | None = None
        position = 0
        ended = False
        while not ended:
            ended = child.wait(_POLL_SECONDS) is not None
            events, position = _read_events(directory.events, position)
            for event in events:
                if isinstance(event, TaskEnded) and not event.path:
                    end = event
                else:
                    with self._cloud.store.update(PIPELINE_JOBS, name) as message:
                        task_details.apply(message, event, self._cloud.timestamp())
        return end

    def _end(self, name: str, end: TaskEnded | None, reason: str) -> None:
        with self._cloud.store.update(PIPELINE_JOBS, name) as message:
            if end is None:
                task_details.abandon(message, reason, self._cloud.timestamp())
            else:
                task_details.apply(message, end, self._cloud.timestamp())


def _read_events(path: Path, position: int) -> tuple[list[Event], int]:
    """The events of the whole lines after `position`, and the position after them."""
    if not path.exists():
        return [], position
    with path.open("rb") as file:
        file.seek(position)
        text, newline, _ = file.read().rpartition(b"\n")
    events = [parse_event(line.decode()) for line in text.split(b"\n") if line]
    return events, position + len(text) + len(newline)


def _member(cloud: Cloud, message: Any) -> str:
    """The account of the job's steps: its service account; in Kubeflow, the cluster's owner."""
    return cloud.user if f"/{KFP_LOCATION}/" in message.name else member_of(message.service_account)


def log_directory(cloud: Cloud, message: Any) -> Path:
    """The folder of the logs of a job's tasks; the runner's log, `<job id>.log`, is beside it."""
    return cloud.state.logs / "pipelines" / str(message.name).rpartition("/")[2]


def _job(cloud: Cloud, message: Any, schedule_time: str, fork_server: str) -> Job:
    runtime = message.runtime_config
    values = json_format.MessageToDict(runtime)
    create_time: Timestamp = message.create_time
    return Job(
        name=message.name,
        uid=task_details.uid_of(message),
        project=cloud.project_id(str(message.name).split("/")[1]),
        create_time=create_time.ToJsonString(),
        kfp_run_name=message.display_name if f"/{KFP_LOCATION}/" in message.name else "",
        schedule_time=schedule_time,
        spec=json_format.MessageToDict(message.pipeline_spec),
        parameters=values.get("parameterValues", {}),
        pipeline_root=str(runtime.gcs_output_directory).rstrip("/"),
        fail_fast=runtime.failure_policy == PipelineFailurePolicy.PIPELINE_FAILURE_POLICY_FAIL_FAST,
        run_directory=str(_run_directory(cloud, message)),
        log_directory=str(log_directory(cloud, message)),
        grace_seconds=cloud.grace_seconds,
        fork_server=fork_server,
    )


def _runs(cloud: Cloud) -> Path:
    return cloud.state_dir / "pipelines"


def _run_directory(cloud: Cloud, message: Any) -> Path:
    return _runs(cloud) / task_details.uid_of(message)
