"""The inventory: every existing resource with this project's labels, its owner, age, expiry and cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from vertex_vllm.catalog.prices import Replicas
from vertex_vllm.errors import RegionClosedError, ServiceError, VertexVllmError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.regional_hosts import in_parallel
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.labels import Marks, is_ours, label_value
from vertex_vllm.runs.engine import ENDED
from vertex_vllm.runs.run_listing import RunSummary, list_runs
from vertex_vllm.runs.schedule_calls import list_schedules
from vertex_vllm.runs.schedule_difference import ExistingSchedule
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client, service_errors
from vertex_vllm.vertex_ai.deployed_models import served_on
from vertex_vllm.vertex_ai.find_by_label import every_endpoint, every_model, model_versions
from vertex_vllm.vertex_ai.resource_names import ResourceName


@dataclass(frozen=True)
class Holding:
    """A resource of the inventory."""

    kind: str
    """endpoint (a row per deployed model), run (only active ones), bucket, schedule or model (a row per version)."""
    name: str
    """Resource name; a bucket's is gs://NAME."""
    region: str
    marks: Marks
    state: str
    """Stage of an endpoint: live, superseded or empty; state of a run or a schedule, as the service names it."""
    since: datetime | None
    """None: unknown."""
    replicas: Replicas | None = None
    """The machines that it rents; None: no machine."""
    made_by: str = ""
    """Service account of the run that made it; empty: not known."""


@dataclass(frozen=True)
class Holdings:
    found: tuple[Holding, ...]
    unreachable: dict[str, str]
    """Region → why it could not be listed."""


def holdings(project: str, regions: Sequence[str]) -> Holdings:
    """Everything with this project's labels in the regions, dearest kind first.

    A region that cannot be listed is named in the answer, beside the rows of the others. Raises ServiceError where no
    bucket can be listed.
    """
    buckets = _buckets(project, regions)
    answers = in_parallel(lambda region: _in_region(project, region), regions)
    answered = [answer for answer in answers if not isinstance(answer, str)]
    unreachable = {region: answer for region, answer in zip(regions, answers, strict=True) if isinstance(answer, str)}
    # A run whose own region had no machines created its resources in another region.
    makers = {label_value(run.id): run.service_account for _, runs in answered for run in runs}
    found = [replace(each, made_by=makers.get(each.marks.run, "")) for holdings, _ in answered for each in holdings]
    kinds = ("endpoint", "run", "bucket", "schedule", "model")
    ordered = sorted([*found, *buckets], key=lambda each: (kinds.index(each.kind), each.marks.deployment, each.name))
    return Holdings(tuple(ordered), unreachable)


def _in_region(project: str, region: str) -> tuple[list[Holding], tuple[RunSummary, ...]] | str:
    """The region's resources and all its runs, ended ones included; or why they could not be listed."""
    try:
        with service_errors(f"Listing what is in {region}", ServiceError):
            runs = list_runs(project, region)
            held = [
                *_endpoints(project, region),
                *(_run(run, region) for run in runs if run.state not in ENDED),
                *_models(project, region),
                *(_schedule(schedule, region) for schedule in list_schedules(project, region)),
            ]
            return held, runs
    except RegionClosedError:  # Nothing of the project can be there.
        return [], ()
    except VertexVllmError as error:
        return str(error)


def _endpoints(project: str, region: str) -> Iterator[Holding]:
    for endpoint in every_endpoint(endpoint_client(region), project, region):
        marks = Marks.of(endpoint.labels)
        for row in served_on(endpoint):
            yield Holding("endpoint", row.endpoint, region, marks, row.stage, row.since, row.replicas)


def _models(project: str, region: str) -> Iterator[Holding]:
    client = model_client(region)
    for model in every_model(client, project, region):
        name = ResourceName.parse(model.name, "models").unversioned
        for version in model_versions(client, name):
            marks = Marks.of(version.labels)
            full_name, since = str(name.with_version(version.version_id)), version.version_create_time
            yield Holding("model", full_name, region, marks, "", since)


def _run(run: RunSummary, region: str) -> Holding:
    marks = Marks(run.deployment, label_value(run.id), run.config_hash, "", None, keep=False)
    return Holding("run", run.name, region, marks, run.state, run.created)


def _schedule(schedule: ExistingSchedule, region: str) -> Holding:
    marks = Marks(schedule.deployment, "", schedule.content_hash, "", None, keep=False)
    return Holding("schedule", schedule.resource_name, region, marks, schedule.state, None)


def _buckets(project: str, regions: Sequence[str]) -> list[Holding]:

    with google_errors("Cloud Storage", f"project {project}"):
        listed = list(storage_client(project).list_buckets(project=project))
    return [
        Holding("bucket", f"gs://{bucket.name}", region, Marks.of(bucket.labels), "", bucket.time_created)
        for bucket in listed
        if is_ours(bucket.labels) and (region := str(bucket.location).lower()) in regions
    ]
