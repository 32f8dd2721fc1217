"""The filter that finds a run's log in Cloud Logging."""

from datetime import UTC, datetime

from vertex_vllm.runs.engine import Run, Step
from vertex_vllm.runs.run_log import log_filter

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
JOBS = "projects/1/locations/us-central1/customJobs"


def step(name: str, *jobs: str) -> Step:
    return Step(name, "SUCCEEDED", None, None, "", {}, tuple(f"{JOBS}/{job}" for job in jobs))


RUN = Run(
    "projects/1/locations/us-central1/pipelineJobs/deploy-x-1",
    "SUCCEEDED",
    "",
    (step("plan-serving", "11"), step("deploy-model", "12", "13"), step("cached")),
)


def test_the_run_and_each_attempt_of_each_step_are_asked_for() -> None:
    assert log_filter(RUN) == (
        '((resource.type="aiplatform.googleapis.com/PipelineJob" AND resource.labels.pipeline_job_id="deploy-x-1")'
        ' OR (resource.type="ml_job" AND resource.labels.job_id="11")'
        ' OR (resource.type="ml_job" AND resource.labels.job_id="12")'
        ' OR (resource.type="ml_job" AND resource.labels.job_id="13"))'
    )


def test_one_step_s_entries_after_a_moment() -> None:
    assert log_filter(RUN, "deploy-model", NOON) == (
        '((resource.type="ml_job" AND resource.labels.job_id="12")'
        ' OR (resource.type="ml_job" AND resource.labels.job_id="13")) AND timestamp>="2026-11-25T12:00:00+00:00"'
    )


def test_a_step_without_a_job_has_no_entries() -> None:
    assert log_filter(RUN, "cached") == ""
