"""Users of the weights in a bucket: versions of Models, active runs, fresh locks."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vertex_vllm.errors import RegionClosedError, ServiceError
from vertex_vllm.foreign_json import parsed
from vertex_vllm.google.grpc_engine import keep_engine
from vertex_vllm.google.regional_hosts import in_parallel
from vertex_vllm.lifecycle.mentions import Mentions, texts_of
from vertex_vllm.runs.engine import ENDED
from vertex_vllm.runs.vertex_engine import pipeline_client, run_name, state_of
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY, model_client, service_errors
from vertex_vllm.vertex_ai.resource_names import ResourceName

if TYPE_CHECKING:
    from google.cloud.storage import Bucket

_LOCKS = "locks/"


@dataclass(frozen=True)
class BusyRun:
    """A pipeline job that has not ended."""

    bucket: str
    """The run's parameter `bucket`; empty: the project's default bucket of its region."""
    model_id: str


@dataclass(frozen=True)
class InUse:
    """The users found at one moment."""

    mentions: Mentions
    """Texts of Models, and of the parameters of busy runs."""
    busy: tuple[BusyRun, ...] = ()
    locked: bool = False
    """Whether a lock of the bucket is fresh and its run not known to have ended: that run may mirror any model."""

    def why(self, bucket: str, path: str) -> str:
        """Why `gs://bucket/path` is in use; empty if nothing is known to use it."""
        if self.mentions.cover(bucket, path):
            return "a Model or a run names it"
        if any(_mirrors(run, bucket, path) for run in self.busy):
            return "a run of its model is under way"
        return "a lock of the bucket is fresh" if self.locked else ""


def look(project: str, bucket: "Bucket", regions: Sequence[str]) -> InUse:
    """The project's users of the objects in the bucket.

    Raises ServiceError when a service does not answer, because users are then not known.
    """
    keep_engine()
    models = in_parallel(lambda region: list(_models(project, region)), regions)
    jobs = in_parallel(lambda region: _jobs(project, region), regions)
    texts = [text for found in models for text in found]
    parameters = [each for found, _ in jobs for each in found]
    over = frozenset(name for _, ended in jobs for name in ended)
    texts += [text for each in parameters for text in texts_of(each)]
    busy = tuple(
        BusyRun(_bucket_of(each), str(each.get("model_id", ""))) for each in parameters if each.get("model_id")
    )
    return InUse(Mentions(texts), busy, any(_is_held(lock, over) for lock in _locks(bucket)))


def _models(project: str, region: str) -> Iterator[str]:
    """All texts in the versions of a region's Models, also of Models that this project did not create."""
    from google.cloud.aiplatform_v1beta1 import Model

    client = model_client(region)
    parent = f"projects/{project}/locations/{region}"
    # A region that the project may not use has no Models of it.
    with suppress(RegionClosedError), service_errors(f"Listing the Models of {region}", ServiceError):
        for model in client.list_models(parent=parent, retry=RETRY, timeout=CALL_SECONDS):
            name = str(ResourceName.parse(model.name, "models").unversioned)
            for version in client.list_model_versions(name=name, retry=RETRY, timeout=CALL_SECONDS):
                yield from texts_of(Model.to_dict(version))


def _jobs(project: str, region: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Parameters of the region's active runs, and ids of its ended runs."""
    client = pipeline_client(region)
    parent = f"projects/{project}/locations/{region}"
    request = {"parent": parent, "read_mask": {"paths": ["name", "state"]}}
    busy: list[dict[str, Any]] = []
    ended: list[str] = []
    with suppress(RegionClosedError), service_errors(f"Listing the runs of {region}", ServiceError):
        for job in client.list_pipeline_jobs(request=request, retry=RETRY, timeout=CALL_SECONDS):
            if state_of(job) in ENDED:
                ended.append(run_name(job.name).id)
            else:
                whole = client.get_pipeline_job(name=job.name, retry=RETRY, timeout=CALL_SECONDS)
                busy.append(dict(whole.runtime_config.parameter_values.items()))
    return busy, ended


def _mirrors(run: BusyRun, bucket: str, path: str) -> bool:
    return run.bucket in ("", bucket) and f"{path}/".startswith(f"models/{run.model_id}/")


def _bucket_of(parameters: dict[str, Any]) -> str:
    return str(parameters.get("bucket") or "").removeprefix("gs://").strip("/")


def _locks(bucket: "Bucket") -> Iterator[dict[str, Any]]:
    from google.api_core.exceptions import NotFound

    for blob in bucket.list_blobs(prefix=_LOCKS):
        with suppress(NotFound, ValueError):
            lock = parsed(blob.download_as_bytes())
            if isinstance(lock, dict):
                yield lock


def _is_held(lock: dict[str, Any], over: frozenset[str]) -> bool:
    """Whether a lock holds: it has not run out, and its run has not ended."""
    try:
        if datetime.fromisoformat(str(lock.get("until", ""))) <= datetime.now(UTC):
            return False
    except (ValueError, TypeError):
        return False  # Not a lock of this project.
    return str(lock.get("run", "")).rpartition("/")[2] not in over
