"""Schedules through the real clients; the tests move the clock."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import storage

from localcloud import daemon
from localcloud.daemon import Connection, DaemonError
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled_with_init
from tests.localcloud.services.pipelines.schedule_clock import HOUR, advance, hourly, offset_of
from tests.localcloud.services.pipelines.test_pipeline_interruption import LocalCloud
from tests.waiting import wait_until

REGION = "us-central1"


def jobs_of(schedule: Any) -> list[Any]:
    name = schedule.resource_name.split("/")
    jobs = schedule.list_jobs(project=name[1], location=REGION, enable_simple_view=False)
    return sorted(jobs, key=lambda job: job.resource_name)


def fresh(schedule: Any) -> Any:
    schedule._sync_gca_resource()
    return schedule.gca_resource


def test_moving_the_clock_past_two_times_runs_two_jobs(cloud: Connection, create_schedule: Callable[..., Any]) -> None:
    schedule = create_schedule(display_name="twice", max_run_count=2)
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


def test_a_time_that_comes_by_itself_runs_a_job(cloud: Connection, create_schedule: Callable[..., Any]) -> None:
    schedule = create_schedule(max_run_count=1)
    now = datetime.now(UTC) + timedelta(seconds=offset_of(cloud.state_dir))
    left = (schedule.gca_resource.next_run_time - now).total_seconds()
    cloud.admin("PUT", "/_local/clock", {"advance_seconds": int(left) - 1})
    wait_until(lambda: fresh(schedule).started_run_count == 1)
    (job,) = jobs_of(schedule)
    wait_until(job.done)


def test_a_paused_schedule_runs_nothing_and_makes_up_for_it_only_on_request(
    cloud: Connection, create_schedule: Callable[..., Any]
) -> None:
    schedule = create_schedule()
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


def test_an_update_starts_anew_from_now(cloud: Connection, create_schedule: Callable[..., Any]) -> None:
    from google.cloud import aiplatform

    schedule = create_schedule()
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


def test_listing_obeys_filter_and_order(create_schedule: Callable[..., Any], project: str) -> None:
    from google.cloud import aiplatform

    for name in ("morning up", "evening down", "nightly"):
        create_schedule(display_name=name)
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
    cloud: Connection, create_schedule: Callable[..., Any], project: str
) -> None:
    from google.cloud import aiplatform

    schedule = create_schedule()
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
    cloud: Connection, create_schedule: Callable[..., Any], tmp_path: Path, queueing: bool, runs: int
) -> None:
    waiting = {"path": str(tmp_path / "waiting"), "status_path": str(tmp_path / "status")}
    schedule = create_schedule(
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
    cloud: Connection, create_schedule: Callable[..., Any], project: str, schedule_bucket: str
) -> None:
    schedule = create_schedule(max_run_count=1)
    storage.Client(project=project).bucket(schedule_bucket).delete()
    advance(cloud, hours=1)
    message = fresh(schedule)
    assert (message.state.name, message.started_run_count) == ("ACTIVE", 0)
    assert message.last_scheduled_run_response.run_response == (
        f"FAILED_PRECONDITION: runtimeConfig.gcsOutputDirectory: there is no bucket {schedule_bucket}."
    )


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
