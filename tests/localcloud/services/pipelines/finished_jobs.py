"""Jobs when they have ended, as tests look at them."""

from typing import Any

from tests.waiting import wait_until

REGION = "us-central1"
PARENT = f"projects/pipelines-project/locations/{REGION}"


def end_of(job: Any) -> Any:
    """The job's message when it has ended."""
    wait_until(job.done)
    return job.gca_resource


def tasks_of(job: Any) -> dict[str, Any]:
    return {detail.task_unique_name: detail for detail in job.task_details}


def states_of(job: Any) -> dict[str, str]:
    return {name: detail.state.name for name, detail in tasks_of(job).items()}
