from typing import Any

from google.cloud.aiplatform_v1beta1.types import PipelineJob
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.services.pipelines import task_details
from localcloud.services.pipelines.job import ArtifactRecord, AttemptFailed, TaskEnded, TaskStarted, Values, task_id
from localcloud.services.pipelines.pipeline_spec import PlannedTask, TaskKind

NAME = "projects/12/locations/us-central1/pipelineJobs/run-1"
STORE = "projects/12/locations/us-central1/metadataStores/default"
GROUP, TASK, NEVER = ("exit-handler-1",), ("exit-handler-1", "deploy"), ("exit-handler-1", "condition-2")


def at(second: int) -> Timestamp:
    return Timestamp(seconds=1_900_000_000 + second)


def planned() -> Any:
    job = PipelineJob.pb()(name=NAME, create_time=at(0), state="PIPELINE_STATE_PENDING")
    kinds = {(): TaskKind.PIPELINE, GROUP: TaskKind.GROUP, TASK: TaskKind.CONTAINER, NEVER: TaskKind.GROUP}
    task_details.plan(job, "my-pipeline", [PlannedTask(path, kind) for path, kind in kinds.items()])
    return job


def apply_all(job: Any, *events: Any) -> Any:
    for second, event in enumerate(events, start=1):
        task_details.apply(job, event, at(second))
    return job


def states(job: Any) -> dict[str, str]:
    return {detail.task_unique_name: type(detail).State.Name(detail.state) for detail in job.job_detail.task_details}


def test_a_planned_job_shows_every_task_pending_below_the_pipeline() -> None:
    job = planned()
    uid = task_details.uid_of(job)
    assert [(d.task_id, d.parent_task_id, d.task_name) for d in job.job_detail.task_details] == [
        (task_id(uid, ()), 0, "run-1"),
        (task_id(uid, GROUP), task_id(uid, ()), "exit-handler-1"),
        (task_id(uid, TASK), task_id(uid, GROUP), "deploy"),
        (task_id(uid, NEVER), task_id(uid, GROUP), "condition-2"),
    ]
    assert set(states(job).values()) == {"PENDING"}
    assert job.job_detail.pipeline_run_context.name == f"{STORE}/contexts/run-1"
    assert list(job.job_detail.pipeline_run_context.parent_contexts) == [f"{STORE}/contexts/my-pipeline"]


def test_a_task_from_start_to_end() -> None:
    record = ArtifactRecord(
        name=f"{STORE}/artifacts/5",
        uri="gs://bucket/runs/model",
        schema_title="google.VertexModel",
        schema_version="0.0.1",
        metadata={"resourceName": "models/1"},
    )
    job = apply_all(
        planned(),
        TaskStarted(path=TASK, kind=TaskKind.CONTAINER, inputs=Values(parameters={"machine": "g2", "count": 2})),
        AttemptFailed(path=TASK, error="ConnectionError: try again"),
        TaskEnded(
            path=TASK, state="SUCCEEDED", outputs=Values(parameters={"Output": True}, artifacts={"model": (record,)})
        ),
    )
    detail = json_format.MessageToDict(job.job_detail.task_details[2])
    assert detail == {
        "taskId": str(task_id(task_details.uid_of(job), TASK)),
        "parentTaskId": str(task_id(task_details.uid_of(job), GROUP)),
        "taskName": "deploy",
        "taskUniqueName": "exit-handler-1.deploy",
        "createTime": "2030-03-17T17:46:40Z",
        "startTime": "2030-03-17T17:46:41Z",
        "endTime": "2030-03-17T17:46:43Z",
        "state": "SUCCEEDED",
        "pipelineTaskStatus": [
            {"state": "PENDING", "updateTime": "2030-03-17T17:46:40Z"},
            {"state": "RUNNING", "updateTime": "2030-03-17T17:46:41Z"},
            {
                "state": "RUNNING",
                "updateTime": "2030-03-17T17:46:42Z",
                "error": {"code": 9, "message": "ConnectionError: try again"},
            },
            {"state": "SUCCEEDED", "updateTime": "2030-03-17T17:46:43Z"},
        ],
        "execution": {
            "name": f"{STORE}/executions/{task_id(task_details.uid_of(job), TASK)}",
            "displayName": "deploy",
            "state": "COMPLETE",
            "schemaTitle": "system.ContainerExecution",
            "schemaVersion": "0.0.1",
            "createTime": "2030-03-17T17:46:41Z",
            "updateTime": "2030-03-17T17:46:43Z",
            "metadata": {"input:machine": "g2", "input:count": 2.0, "output:Output": True},
        },
        "outputs": {
            "model": {
                "artifacts": [
                    {
                        "name": f"{STORE}/artifacts/5",
                        "displayName": "model",
                        "uri": "gs://bucket/runs/model",
                        "schemaTitle": "google.VertexModel",
                        "schemaVersion": "0.0.1",
                        "state": "LIVE",
                        "createTime": "2030-03-17T17:46:43Z",
                        "metadata": {"resourceName": "models/1"},
                    }
                ]
            }
        },
    }


def test_the_end_of_a_group_leaves_none_of_its_tasks_pending() -> None:
    job = apply_all(
        planned(),
        TaskStarted(path=(), kind=TaskKind.PIPELINE, inputs=Values()),
        TaskStarted(path=GROUP, kind=TaskKind.GROUP, inputs=Values()),
        TaskStarted(path=TASK, kind=TaskKind.CONTAINER, inputs=Values()),
        TaskEnded(path=TASK, state="FAILED", error="ValueError: no"),
        TaskEnded(path=GROUP, state="FAILED", error="deploy: ValueError: no"),
    )
    assert states(job) == {
        "": "RUNNING",
        "exit-handler-1": "FAILED",
        "exit-handler-1.deploy": "FAILED",
        "exit-handler-1.condition-2": "NOT_TRIGGERED",
    }
    assert json_format.MessageToDict(job)["state"] == "PIPELINE_STATE_RUNNING"
    task_details.apply(job, TaskEnded(path=(), state="FAILED", error="deploy: ValueError: no"), at(9))
    ended = json_format.MessageToDict(job)
    assert (ended["state"], ended["endTime"]) == ("PIPELINE_STATE_FAILED", "2030-03-17T17:46:49Z")
    assert ended["error"] == {"code": 9, "message": "deploy: ValueError: no"}


def test_a_cancelled_job_stays_cancelling_until_its_pipeline_has_ended() -> None:
    job = planned()
    task_details.cancel(job, at(1))
    task_details.apply(job, TaskStarted(path=(), kind=TaskKind.PIPELINE, inputs=Values()), at(2))
    assert json_format.MessageToDict(job)["state"] == "PIPELINE_STATE_CANCELLING"
    task_details.apply(job, TaskEnded(path=(), state="CANCELLED", error="The task was cancelled."), at(3))
    ended = json_format.MessageToDict(job)
    assert ended["state"] == "PIPELINE_STATE_CANCELLED"
    assert ended["error"] == {"code": 1, "message": "The task was cancelled."}
    assert set(states(job).values()) == {"CANCELLED", "NOT_TRIGGERED"}


def test_a_job_that_was_cancelled_before_it_started_has_no_error() -> None:
    job = planned()
    task_details.cancel(job, at(1))
    task_details.apply(job, TaskEnded(path=(), state="CANCELLED", error="The task was cancelled."), at(3))
    ended = json_format.MessageToDict(job)
    assert (ended["state"], "error" in ended, "startTime" in ended) == ("PIPELINE_STATE_CANCELLED", False, False)


def test_contexts_have_an_etag_and_metadata() -> None:
    for context in (planned().job_detail.pipeline_context, planned().job_detail.pipeline_run_context):
        shown = json_format.MessageToDict(context)
        assert (shown["etag"], shown["metadata"]) == (str(context.create_time.ToMilliseconds()), {})
        assert shown["updateTime"] == shown["createTime"]


def test_a_job_whose_runner_is_gone_has_failed_and_says_why() -> None:
    job = apply_all(
        planned(),
        TaskStarted(path=(), kind=TaskKind.PIPELINE, inputs=Values()),
        TaskStarted(path=GROUP, kind=TaskKind.GROUP, inputs=Values()),
    )
    task_details.abandon(job, "the runner was killed", at(3))
    assert states(job) == {
        "": "FAILED",
        "exit-handler-1": "FAILED",
        "exit-handler-1.deploy": "NOT_TRIGGERED",
        "exit-handler-1.condition-2": "NOT_TRIGGERED",
    }
    assert job.error.message == "the runner was killed"


def test_an_iteration_of_a_loop_is_added_when_it_starts() -> None:
    path = (*GROUP, "for-loop-3", "for-loop-3-iteration-0")
    job = apply_all(planned(), TaskStarted(path=path, kind=TaskKind.GROUP, inputs=Values()))
    added = job.job_detail.task_details[-1]
    assert (added.task_name, added.parent_task_id) == (
        "for-loop-3-iteration-0",
        task_id(task_details.uid_of(job), path[:-1]),
    )
