from localcloud.services.pipelines.job import Job, task_id
from localcloud.services.pipelines.placeholders import job_names, substitute, task_names

JOB = Job(
    name="projects/12/locations/us-central1/pipelineJobs/run-1",
    uid="77",
    project="my-project",
    create_time="2030-01-01T00:00:00Z",
    spec={},
    parameters={},
    pipeline_root="gs://bucket/root",
    fail_fast=False,
    run_directory="run",
    log_directory="logs",
    grace_seconds=30,
    fork_server="run/steps.socket",
)


def test_the_names_of_the_job_and_of_the_task_are_the_real_ones() -> None:
    path = ("exit-handler-1", "deploy-model")
    assert task_names(JOB, path) == {
        "pipeline_job_name": "run-1",
        "pipeline_job_resource_name": "projects/12/locations/us-central1/pipelineJobs/run-1",
        "pipeline_job_uuid": "77",
        "pipeline_job_create_time_utc": "2030-01-01T00:00:00Z",
        "pipeline_job_schedule_time_utc": "2030-01-01T00:00:00Z",
        "pipeline_root": "gs://bucket/root",
        "pipeline_google_cloud_project_id": "my-project",
        "pipeline_google_cloud_location": "us-central1",
        "pipeline_task_name": "deploy-model",
        "pipeline_task_uuid": str(task_id("77", path)),
    }


def test_only_known_names_are_substituted_at_any_depth() -> None:
    value = {"a": ["{{$.x}}-{{$.y}}", 1, None, {"b": "{{$.x}}{{$.x}} {{$}}"}]}
    assert substitute(value, {"x": "X"}) == {"a": ["X-{{$.y}}", 1, None, {"b": "XX {{$}}"}]}


def test_in_kubeflow_a_placeholder_is_all_of_a_text_and_stands_for_a_run_s_name() -> None:
    run = JOB.model_copy(
        update={"name": "projects/12/locations/kfp/pipelineJobs/run-ab-cd", "kfp_run_name": "The first: run"}
    )
    names = {
        "pipeline_job_name": "The first: run",
        "pipeline_job_resource_name": "run-ab-cd",
        "pipeline_job_uuid": "ab-cd",
    }
    assert job_names(run) == names
    value = ["{{$.pipeline_job_name}}", "a {{$.pipeline_job_name}}", "{{$.pipeline_root}}"]
    assert substitute(value, names, whole=True) == ["The first: run", *value[1:]]
