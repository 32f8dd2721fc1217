"""The summary of a run, and the filter of lists of runs, as values."""

from datetime import UTC, datetime

from google.cloud.aiplatform_v1 import ListPipelineJobsRequest, PipelineJob

from vertex_vllm.runs.run_listing import RunSummary, list_request, summary
from vertex_vllm.runs.submission import run_labels

CREATED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def test_a_job_in_short() -> None:
    job = PipelineJob(
        name="projects/42/locations/us-central1/pipelineJobs/deploy-x-1",
        state="PIPELINE_STATE_RUNNING",
        create_time=CREATED,
        labels=run_labels("deploy", "x", config_hash="0123456789", commit="ab" * 20),
        service_account="runner@my-project.iam.gserviceaccount.com",
    )
    assert summary(job) == RunSummary(
        name=job.name,
        state="RUNNING",
        created=CREATED,
        ended=None,
        deployment="x",
        pipeline="deploy",
        service_account="runner@my-project.iam.gserviceaccount.com",
        commit="ab" * 20,
        config_hash="0123456789",
    )


def test_all_runs_of_a_region_are_asked_for_and_compared_here() -> None:
    assert list_request("p", "us-central1") == ListPipelineJobsRequest(
        parent="projects/p/locations/us-central1",
        order_by="create_time desc",
        read_mask={"paths": ["name", "state", "create_time", "start_time", "end_time", "labels", "service_account"]},
    )


def test_a_run_by_hand_has_no_commit_label() -> None:
    assert run_labels("deploy", "x") == {
        "managed-by": "vertex-vllm",
        "vertex-vllm-deployment": "x",
        "vertex-vllm-pipeline": "deploy",
    }
