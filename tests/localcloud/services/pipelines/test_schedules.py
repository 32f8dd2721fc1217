"""Schedules through the real clients; what time it is, the tests say."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api_core import exceptions
from google.cloud import storage

from localcloud import daemon
from localcloud.daemon import Connection, DaemonError
from tests.accounts import classic_project
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled_with_init
from tests.localcloud.services.pipelines.test_pipeline_interruption import LocalCloud
from tests.waiting import wait_until

REGION = "us-central1"
HOUR = 3600


def offset_of(state_dir: Path) -> int:
    return int((state_dir / "clock").read_text()) if (state_dir / "clock").exists() else 0


def hourly(state_dir: Path) -> str:
    """Half an hour away by the cloud's clock: no test lasts until it comes by itself."""
    now = datetime.now(UTC) + timedelta(seconds=offset_of(state_dir))
    return f"{(now.minute + 30) % 60} * * * *"


def advance(cloud: Connection, hours: int) -> None:
    cloud.admin("PUT", "/_local/clock", {"advance_seconds": hours * HOUR})


def written(pipeline: Any, path: Path) -> Path:
    path.write_text(yaml.safe_dump(compiled_with_init(pipeline)))
    return path


@pytest.fixture
def bucket(project: str) -> str:
    name = f"schedules-{uuid.uuid4().hex[:12]}"
    classic_project(project)
    storage.Client(project=project).create_bucket(name, location=REGION)
    return name


@pytest.fixture
def create(cloud: Connection, project: str, bucket: str, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes schedules of a pipeline that says for when it was scheduled, and removes them after the test."""
    from google.cloud import aiplatform

    made = []

    def create(pipeline: Any = samples.timed, parameters: dict[str, Any] | None = None, **options: Any) -> Any:
        job = aiplatform.PipelineJob(
            display_name="a job",
            template_path=str(written(pipeline, tmp_path / "pipeline.yaml")),
            pipeline_root=f"gs://{bucket}/runs",
            parameter_values=parameters or {},
            labels={"team": "blue"},
            project=project,
            location=REGION,
        )
        schedule = job.create_schedule(**{"cron": hourly(cloud.state_dir), "display_name": "hourly"} | options)
        made.append(schedule)
        return schedule

    yield create
    for schedule in made:
        with suppress(exceptions.NotFound):
            schedule.delete()


def jobs_of(schedule: Any) -> list[Any]:
    name = schedule.resource_name.split("/")
    jobs = schedule.list_jobs(project=name[1], location=REGION, enable_simple_view=False)
    return sorted(jobs, key=lambda job: job.resource_name)


def fresh(schedule: Any) -> Any:
    schedule._sync_gca_resource()
    return schedule.gca_resource


def test_moving_the_clock_past_two_times_runs_two_jobs(cloud: Connection, create: Callable[..., Any]) -> None:
    schedule = create(display_name="twice", max_run_count=2)
    made = schedule.gca_resource
    assert (made.state.name, made.start_time, made.started_run_count) == ("ACTIVE", made.create_time, 0)
    first = made.next_run_time
    assert made.create_time < first <= made.create_time + timedelta(hours=1)

    advance(cloud, hours=1)
    ((job,), message) = jobs_of(schedule), fresh(schedule)
    assert (job.labels["team"], job.gca_resource.schedule_name) == ("blue", schedule.resource_name)
    assert (message.state.name, message.started_run_count) == ("ACTIVE", 1)
    assert message.next_run_time == first + timedelta(hours=1)
    assert message.last_scheduled_run_response.scheduled_run_time == first
    assert message.last_scheduled_run_response.run_response == "OK"

    advance(cloud, hours=3)
    jobs, message = jobs_of(schedule), fresh(schedule)
    assert (len(jobs), message.state.name, message.started_run_count) == (2, "COMPLETED", 2)
    assert message.next_run_time is None
    wait_until(lambda: all(job.done() for job in jobs))
    assert [job.state.name for job in jobs] == ["PIPELINE_STATE_SUCCEEDED"] * 2
    said = {
        detail.execution.metadata["output:Output"]
        for job in jobs
        for detail in job.task_details
        if detail.task_name == "echo"
    }
    assert said == {f"{first + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (0, 1)}


def test_a_time_that_comes_by_itself_runs_a_job(cloud: Connection, create: Callable[..., Any]) -> None:
    schedule = create(max_run_count=1)
    now = datetime.now(UTC) + timedelta(seconds=offset_of(cloud.state_dir))
    left = (schedule.gca_resource.next_run_time - now).total_seconds()
    cloud.admin("PUT", "/_local/clock", {"advance_seconds": int(left) - 1})
    wait_until(lambda: fresh(schedule).started_run_count == 1)
    (job,) = jobs_of(schedule)
    wait_until(job.done)


def test_a_paused_schedule_runs_nothing_and_makes_up_for_it_only_on_request(
    cloud: Connection, create: Callable[..., Any]
) -> None:
    schedule = create()
    schedule.pause()
    assert fresh(schedule).state.name == "PAUSED"
    with pytest.raises(exceptions.FailedPrecondition, match="cannot be paused"):
        schedule.pause()
    advance(cloud, hours=2)
    schedule.resume()
    assert (fresh(schedule).state.name, jobs_of(schedule)) == ("ACTIVE", [])
    with pytest.raises(exceptions.FailedPrecondition, match="cannot be resumed"):
        schedule.resume()

    schedule.pause()
    advance(cloud, hours=2)
    # The SDK's `resume(catch_up=True)` leaves it out of its request.
    schedule.api_client.resume_schedule(request={"name": schedule.resource_name, "catch_up": True})
    wait_until(lambda: fresh(schedule).started_run_count == 2)
    assert (len(jobs_of(schedule)), fresh(schedule).catch_up) == (2, True)


def test_an_update_starts_anew_from_now(cloud: Connection, create: Callable[..., Any]) -> None:
    from google.cloud import aiplatform

    schedule = create()
    schedule.update(display_name="yearly", cron="TZ=Asia/Tokyo 0 9 1 1 *", max_run_count=3)
    found = aiplatform.PipelineJobSchedule.get(schedule.resource_name).gca_resource
    new_year = found.next_run_time
    assert (found.display_name, found.cron, found.max_run_count) == ("yearly", "TZ=Asia/Tokyo 0 9 1 1 *", 3)
    assert (new_year.month, new_year.day, new_year.hour, new_year.minute) == (1, 1, 0, 0)
    with pytest.raises(exceptions.InvalidArgument, match="max_run_count cannot be unset"):
        schedule.api_client.update_schedule(
            schedule={"name": schedule.resource_name}, update_mask={"paths": ["max_run_count"]}
        )
    with pytest.raises(exceptions.InvalidArgument, match="not to be updated: state"):
        schedule.api_client.update_schedule(schedule=found, update_mask={"paths": ["state"]})


def test_listing_obeys_filter_and_order(create: Callable[..., Any], project: str) -> None:
    from google.cloud import aiplatform

    for name in ("morning up", "evening down", "nightly"):
        create(display_name=name)
    schedules = aiplatform.PipelineJobSchedule.list(project=project, location=REGION)
    assert [schedule.display_name for schedule in schedules] == ["nightly", "evening down", "morning up"]
    schedules[0].pause()

    def names(filter: str, order_by: str | None = None) -> list[str]:
        found = aiplatform.PipelineJobSchedule.list(filter, order_by, project=project, location=REGION)
        return [schedule.display_name for schedule in found]

    assert names('state="PAUSED"') == ["nightly"]
    assert names('display_name:"*ning*" AND create_pipeline_job_request:*', "create_time") == [
        "morning up",
        "evening down",
    ]
    assert names('NOT display_name="nightly"', "display_name") == ["evening down", "morning up"]


def test_a_deleted_schedule_is_gone_and_its_jobs_stay(
    cloud: Connection, create: Callable[..., Any], project: str
) -> None:
    from google.cloud import aiplatform

    schedule = create()
    advance(cloud, hours=1)
    (job,) = jobs_of(schedule)
    schedule.delete()
    with pytest.raises(exceptions.NotFound):
        aiplatform.PipelineJobSchedule.get(schedule.resource_name)
    advance(cloud, hours=1)
    assert len(aiplatform.PipelineJob.list(project=project, location=REGION)) == 1
    wait_until(job.done)


@pytest.mark.parametrize(("queueing", "runs"), [(True, 2), (False, 1)])
def test_no_more_runs_are_active_than_may_be(
    cloud: Connection, create: Callable[..., Any], tmp_path: Path, queueing: bool, runs: int
) -> None:
    waiting = {"path": str(tmp_path / "waiting"), "status_path": str(tmp_path / "status")}
    schedule = create(
        samples.waiting, waiting, max_concurrent_active_run_count=1, allow_queueing=queueing, max_run_count=2
    )
    advance(cloud, hours=2)
    (job,) = jobs_of(schedule)
    now = datetime.now(UTC) + timedelta(seconds=offset_of(cloud.state_dir))
    assert (fresh(schedule).next_run_time < now) == queueing
    job.cancel()
    wait_until(job.done)
    if queueing:
        wait_until(lambda: fresh(schedule).started_run_count == runs)
    assert len(jobs_of(schedule)) == runs
    for each in jobs_of(schedule):
        with suppress(exceptions.FailedPrecondition):
            each.cancel()
        wait_until(each.done)


def test_a_run_that_cannot_be_started_is_told_of_and_counts_for_nothing(
    cloud: Connection, create: Callable[..., Any], project: str, bucket: str
) -> None:
    schedule = create(max_run_count=1)
    storage.Client(project=project).bucket(bucket).delete()
    advance(cloud, hours=1)
    message = fresh(schedule)
    assert (message.state.name, message.started_run_count) == ("ACTIVE", 0)
    assert message.last_scheduled_run_response.run_response == (
        f"FAILED_PRECONDITION: runtimeConfig.gcsOutputDirectory: there is no bucket {bucket}."
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cron": "every day"}, "schedule.cron: 'every day'"),
        ({"cron": "TZ=Mars/Base 0 3 * * *"}, "'Mars/Base' is not in the IANA"),
        ({"max_concurrent_run_count": 0}, "maxConcurrentRunCount"),
        ({"max_run_count": -1}, "max_run_count must not be negative"),
        ({"end_time": "2020-01-01T00:00:00Z"}, "schedule.endTime"),
        ({"start_time": "2100-01-02T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"}, "schedule.endTime"),
    ],
    ids=["cron", "time zone", "concurrent runs", "runs", "end is over", "end before start"],
)
def test_what_no_schedule_can_be_is_refused(create: Callable[..., Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=re.escape(words)):
        create(**options)


def test_what_a_schedule_runs_is_checked_when_it_is_made(create: Callable[..., Any], project: str) -> None:
    from google.cloud.aiplatform_v1beta1 import ScheduleServiceClient

    message = create().gca_resource
    client = ScheduleServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
    parent = f"projects/{project}/locations/{REGION}"
    schedule = {"display_name": "x", "cron": "0 * * * *", "max_concurrent_run_count": 1}
    with pytest.raises(exceptions.InvalidArgument, match="createPipelineJobRequest is required"):
        client.create_schedule(parent=parent, schedule=schedule)
    with pytest.raises(exceptions.MethodNotImplemented, match="create_notebook_execution_job_request"):
        client.create_schedule(parent=parent, schedule=schedule | {"create_notebook_execution_job_request": {}})
    elsewhere = {"parent": f"projects/{project}/locations/europe-west4", "pipeline_job": {}}
    with pytest.raises(exceptions.InvalidArgument, match="has to be the schedule's"):
        client.create_schedule(parent=parent, schedule=schedule | {"create_pipeline_job_request": elsewhere})
    no_spec = {"parent": message.create_pipeline_job_request.parent, "pipeline_job": {}}
    with pytest.raises(exceptions.InvalidArgument, match="pipelineSpec is required"):
        client.create_schedule(parent=parent, schedule=schedule | {"create_pipeline_job_request": no_spec})


@pytest.mark.parametrize("seconds", [-1, 10**10])
def test_the_clock_goes_forward_and_not_to_the_end_of_time(cloud: Connection, seconds: int) -> None:
    with pytest.raises(DaemonError, match="INVALID_ARGUMENT"):
        cloud.admin("PUT", "/_local/clock", {"advance_seconds": seconds})


@pytest.mark.slow
def test_a_schedule_and_the_clock_outlive_the_local_cloud_and_what_it_missed_is_skipped(tmp_path: Path) -> None:
    cloud = LocalCloud(tmp_path / "state")
    try:
        cloud.make_classic("some-project")
        cloud.call("POST", "https://storage.googleapis.com/storage/v1/b?project=some-project", json={"name": "runs"})
        parent = f"projects/some-project/locations/{REGION}"
        location = f"https://{REGION}-aiplatform.googleapis.com/v1beta1/{parent}"
        job = {"pipelineSpec": compiled_with_init(samples.timed), "runtimeConfig": {"gcsOutputDirectory": "gs://runs"}}
        schedule = {
            "displayName": "hourly",
            "cron": hourly(cloud.state_dir),
            "maxConcurrentRunCount": "1",
            "createPipelineJobRequest": {"parent": parent, "pipelineJob": job},
        }
        made = cloud.call("POST", f"{location}/schedules", json=schedule)
        url = f"{location}/schedules/{made['name'].rpartition('/')[2]}"
        daemon.down(cloud.state_dir)

        (cloud.state_dir / "clock").write_text(str(5 * HOUR))
        cloud.up()
        missed = datetime.fromisoformat(made["nextRunTime"])
        found = cloud.call("GET", url)
        assert datetime.fromisoformat(found["nextRunTime"]) == missed + timedelta(hours=5)
        assert (found["state"], cloud.call("GET", f"{location}/pipelineJobs")) == ("ACTIVE", {})
    finally:
        daemon.down(cloud.state_dir)


def test_a_schedule_takes_a_spec_whose_components_a_run_cannot_carry_out(
    cloud: Connection, create: Callable[..., Any], project: str
) -> None:
    """Vertex AI looks at them when a run is created, not before."""
    from google.cloud import aiplatform_v1
    from google.protobuf import json_format

    schedule = create()
    client = aiplatform_v1.ScheduleServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
    wanted = json_format.MessageToDict(client.get_schedule(name=schedule.resource_name)._pb)
    job = wanted["createPipelineJobRequest"]["pipelineJob"]
    job["pipelineSpec"]["deploymentConfig"] = job["pipelineSpec"].pop("deploymentSpec")
    shown = ("displayName", "cron", "maxConcurrentRunCount", "createPipelineJobRequest")
    fields = {name: wanted[name] for name in shown}
    made = client.create_schedule(parent=f"projects/{project}/locations/{REGION}", schedule=json_to(fields))
    advance(cloud, 1)
    response = client.get_schedule(name=made.name).last_scheduled_run_response
    client.delete_schedule(name=made.name).result()

    assert "neither a dag nor an executor" in response.run_response


def json_to(fields: dict[str, Any]) -> Any:
    from google.cloud.aiplatform_v1.types import Schedule

    return Schedule.from_json(json.dumps(fields))
