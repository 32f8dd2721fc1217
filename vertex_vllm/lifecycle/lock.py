"""The lock of a deployment: an object in its bucket names the one run that may upload and deploy.

Steps are separate processes, so none could renew a lock. A pipeline job holds the lock instead: a run that finds a
lock asks Vertex AI whether its job still runs, and takes it from a job that has ended. The exit handler releases it.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vertex_vllm.errors import InputError, LockedError
from vertex_vllm.foreign_json import parsed
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.runs.engine import ENDED
from vertex_vllm.runs.vertex_engine import pipeline_client, run_name, state_of
from vertex_vllm.vertex_ai.operations import Deadline
from vertex_vllm.vertex_ai.resource_names import ResourceName

if TYPE_CHECKING:
    from google.cloud.storage import Blob

HOLD = timedelta(hours=24)
"""How long a lock holds if its run cannot be looked up. Longer than any deploy: the largest mirrors take hours."""
PATIENCE_SECONDS = 300.0
"""How long to wait for another run: after it fails, its exit handler still has to release the lock."""
_LOOK_AGAIN_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """The content of a lock: the run that holds it."""

    run: str
    """projects/P/locations/REGION/pipelineJobs/ID."""
    since: str
    """ISO 8601."""
    until: str
    """ISO 8601; afterwards the lock no longer holds."""

    @property
    def run_id(self) -> str:
        return self.run.rpartition("/")[2]


def lock_name(deployment: str) -> str:
    """Name of the lock's object."""
    return f"locks/{deployment}.json"


def acquire(
    project: str,
    bucket: str,
    deployment: str,
    run: str,
    patience_seconds: float = PATIENCE_SECONDS,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Takes the deployment's lock for `run`, a pipeline job's resource name; a run that holds it already keeps it.

    Waits for another holder until `patience_seconds` have passed, then raises LockedError that names it. Teardown,
    sweep and evaluation take no lock. Raises ServiceError if Cloud Storage fails.
    """
    patience = Deadline(patience_seconds)
    with google_errors("Cloud Storage", f"gs://{bucket}/{lock_name(deployment)}"):
        while True:
            content, generation = _read(project, bucket, deployment)
            holder = held_by_a_run(content, run)
            if holder is None or holder.run == run or _is_over(holder):
                if holder is not None and holder.run != run:
                    log.warning("Taking the lock of %s from %s, which is over", deployment, holder.run)
                if _write(project, bucket, deployment, run, generation):
                    return
            elif not patience.left:
                raise _locked(deployment, holder)
            else:
                log.info("%s has the lock of %s: waiting", holder.run, deployment)
                pause(min(_LOOK_AGAIN_SECONDS, patience.left))


def release(project: str, bucket: str, deployment: str, run_id: str) -> bool:
    """Deletes the lock if that run holds it, and returns whether it did. Raises ServiceError if Cloud Storage fails."""
    from google.api_core.exceptions import NotFound, PreconditionFailed

    with google_errors("Cloud Storage", f"gs://{bucket}/{lock_name(deployment)}"):
        content, generation = _read(project, bucket, deployment)
        holder = _holder(content)
        if holder is None or holder.run_id != run_id:
            return False
        try:
            _blob(project, bucket, deployment).delete(if_generation_match=generation)
        except (NotFound, PreconditionFailed):
            return False
        return True


def held_by_a_run(content: bytes, run: str) -> Holder | None:
    """Holder that a lock's `content` names; None unless it is a pipeline job of the project of `run`.

    Whoever may write to the bucket may write a lock: the run in it says where this process's access token is sent.
    `run`: resource name of the caller's own pipeline job; a run of Kubeflow Pipelines names no project.
    """
    holder = _holder(content)
    named = _run_name(holder.run) if holder else None
    ours = _run_name(run)
    return holder if named and (ours is None or named.project == ours.project) else None


def _run_name(run: str) -> ResourceName | None:
    try:
        return run_name(run)
    except InputError:
        return None


def _holder(content: bytes) -> Holder | None:
    try:
        holder = Holder(**parsed(content))
    except (ValueError, TypeError):
        return None
    return holder if all(isinstance(value, str) for value in vars(holder).values()) else None


def _read(project: str, bucket: str, deployment: str) -> tuple[bytes, int]:
    """Content and generation of the lock; no content and generation 0 where there is none."""
    from google.api_core.exceptions import NotFound, PreconditionFailed

    blob = _blob(project, bucket, deployment)
    try:
        blob.reload()
        generation = int(blob.generation or 0)
        return blob.download_as_bytes(if_generation_match=generation), generation
    except (NotFound, PreconditionFailed):  # Deleted or replaced meanwhile: writing will fail then.
        return b"", 0


def _write(project: str, bucket: str, deployment: str, run: str, generation: int) -> bool:
    """Writes the lock. False if it was written since; read it again, also to find an own write with a lost answer."""
    from google.api_core.exceptions import PreconditionFailed

    now = datetime.now(UTC).replace(microsecond=0)
    holder = Holder(run, now.isoformat(), (now + HOLD).isoformat())
    try:
        _blob(project, bucket, deployment).upload_from_string(
            json.dumps(asdict(holder)), content_type="application/json", if_generation_match=generation
        )
    except PreconditionFailed:
        return False
    return True


def _is_over(holder: Holder) -> bool:
    from google.api_core.exceptions import GoogleAPICallError, NotFound

    try:
        if datetime.fromisoformat(holder.until) <= datetime.now(UTC):
            return True
        job = pipeline_client(run_name(holder.run).region).get_pipeline_job(name=holder.run)
    except NotFound:
        return True  # One that runs cannot be deleted.
    except (ValueError, TypeError):
        return True  # This project did not write that lock.
    except GoogleAPICallError as error:
        log.warning("It is unknown whether %s still runs: %s", holder.run, error)
        return False
    return state_of(job) in ENDED


def _blob(project: str, bucket: str, deployment: str) -> "Blob":

    return storage_client(project).bucket(bucket).blob(lock_name(deployment))


def _locked(deployment: str, holder: Holder) -> LockedError:
    name = run_name(holder.run)
    cancel = f"vertex-vllm runs cancel {name.id} --project {name.project} --region {name.region} --wait"
    return LockedError(
        f"run {name.id} has been working on deployment {deployment} since {holder.since}",
        fix=f"Try again when it has ended, or end it: {cancel}",
        deployment=deployment,
        run=holder.run,
        since=holder.since,
    )
