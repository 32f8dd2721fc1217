"""The changes of `schedule apply`, as a value."""

from dataclasses import replace
from pathlib import Path

from tests.prepared import PINNED_IMAGE, RUNNER
from vertex_vllm.runs.schedule_difference import Change, ExistingSchedule, WantedSchedule, difference
from vertex_vllm.runs.submission import Submission

SPEC = Path(__file__).resolve().parents[3] / "compiled" / "deploy.yaml"
NIGHTLY = WantedSchedule(
    deployment="llama",
    name="nightly",
    cron="TZ=UTC 0 3 * * *",
    submission=Submission(
        project="some-project",
        region="us-central1",
        spec=SPEC,
        job_id="deploy-llama-20300101000000",
        parameters={"keep_endpoint": False},
        pipeline_root="gs://runs",
        labels={"managed-by": "vertex-vllm"},
        service_account=RUNNER,
        image=PINNED_IMAGE,
    ),
)


def existing(wanted: WantedSchedule, number: int = 1) -> ExistingSchedule:
    return ExistingSchedule(
        resource_name=f"projects/1/locations/us-central1/schedules/{number}",
        deployment=wanted.deployment,
        name=wanted.name,
        pipeline="deploy",
        content_hash=wanted.content_hash,
        cron=wanted.cron,
        state="ACTIVE",
        next_run=None,
        started_runs=0,
        last_response="",
    )


def test_what_is_not_there_is_created() -> None:
    assert difference([NIGHTLY], []) == (Change("create", NIGHTLY),)


def test_what_is_there_as_wanted_is_kept() -> None:
    there = existing(NIGHTLY)
    assert difference([NIGHTLY], [there]) == (Change("keep", NIGHTLY, (there,)),)


def test_what_has_changed_is_replaced() -> None:
    there = existing(NIGHTLY)
    changed = replace(NIGHTLY, cron="TZ=UTC 0 4 * * *")
    assert difference([changed], [there]) == (Change("replace", changed, (there,)),)


def test_what_no_config_of_its_deployment_has_is_deleted_and_other_deployments_are_left_alone() -> None:
    gone, elsewhere = existing(replace(NIGHTLY, name="hourly")), existing(replace(NIGHTLY, deployment="other"), 2)
    assert difference([NIGHTLY], [gone, elsewhere]) == (
        Change("create", NIGHTLY),
        Change("delete", None, (gone,)),
    )
    assert difference([], [gone, elsewhere], ["llama"]) == (Change("delete", None, (gone,)),)
    assert difference([], [gone, elsewhere]) == ()


def test_a_replacement_that_was_broken_off_is_finished() -> None:
    old, new = existing(replace(NIGHTLY, cron="TZ=UTC 0 4 * * *"), 1), existing(NIGHTLY, 2)
    again = existing(NIGHTLY, 3)
    assert difference([NIGHTLY], [old, new, again]) == (
        Change("keep", NIGHTLY, (new,)),
        Change("delete", None, (old,)),
        Change("delete", None, (again,)),
    )


def test_the_hash_tells_apart_all_that_a_schedule_is_made_of_and_nothing_else(tmp_path: Path) -> None:
    submission = NIGHTLY.submission
    spec = tmp_path / "deploy.yaml"
    spec.write_text(SPEC.read_text() + "\n")
    others = [
        replace(NIGHTLY, cron="TZ=UTC 0 4 * * *"),
        replace(NIGHTLY, start="2030-01-01T00:00:00Z"),
        replace(NIGHTLY, end="2030-01-01T00:00:00Z"),
        replace(NIGHTLY, max_run_count=1),
        replace(NIGHTLY, submission=replace(submission, spec=spec)),
        replace(NIGHTLY, submission=replace(submission, parameters={"keep_endpoint": True})),
        replace(NIGHTLY, submission=replace(submission, pipeline_root="gs://others")),
        replace(NIGHTLY, submission=replace(submission, service_account="a@p.iam.gserviceaccount.com")),
    ]
    assert len({schedule.content_hash for schedule in (NIGHTLY, *others)}) == 1 + len(others)
    later = replace(NIGHTLY, submission=replace(submission, job_id="deploy-llama-20310101000000"))
    assert later.content_hash == NIGHTLY.content_hash
