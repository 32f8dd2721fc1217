"""Commands that read a run's logs, from messages as Vertex AI sends them."""

from google.cloud.aiplatform_v1 import PipelineJob, PipelineTaskDetail

from vertex_vllm.runs.logs import LogCommand, log_commands, steps_without_log
from vertex_vllm.runs.vertex_engine import read_run

JOBS = "projects/42/locations/us-central1/customJobs"


def task(name: str, state: str, **jobs: object) -> PipelineTaskDetail:
    detail = {"task_id": len(name), "parent_task_id": 1, "task_name": name, "state": state}
    return PipelineTaskDetail(**detail, executor_detail={"container_detail": jobs} if jobs else None)


RUN = read_run(
    PipelineJob(
        name="projects/42/locations/us-central1/pipelineJobs/deploy-x-1",
        job_detail={
            "task_details": [
                PipelineTaskDetail(task_id=1, task_name="deploy-x-1"),
                task("plan-serving", "SUCCEEDED", main_job=f"{JOBS}/7"),
                task("deploy-model", "FAILED", main_job=f"{JOBS}/9", failed_main_jobs=[f"{JOBS}/8"]),
                task("find-it", "RUNNING"),
                task("promote-endpoint", "NOT_TRIGGERED"),
            ]
        },
    )
)
FORMAT = "'--format=value(timestamp,severity,textPayload,jsonPayload.message)'"


def read(asked: str) -> str:
    return f"gcloud logging read '{asked}' --project=my-project --order=asc {FORMAT}"


def test_the_run_and_every_attempt_of_a_step_has_a_command() -> None:
    of_run = 'resource.type="aiplatform.googleapis.com/PipelineJob" AND resource.labels.pipeline_job_id="deploy-x-1"'
    assert log_commands(RUN, "my-project") == (
        LogCommand("", "deploy-x-1", read(of_run)),
        *(
            LogCommand(step, job, read(f'resource.type="ml_job" AND resource.labels.job_id="{job}"'))
            for step, job in (("plan-serving", "7"), ("deploy-model", "8"), ("deploy-model", "9"))
        ),
    )


def test_a_step_that_ran_without_a_job_is_named() -> None:
    assert steps_without_log(RUN) == ("find-it",)
