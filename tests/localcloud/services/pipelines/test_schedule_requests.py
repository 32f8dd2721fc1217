"""Requests for schedules: refusals, and the time at which the scheduled request is checked."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core import exceptions

from localcloud.daemon import Connection
from tests.localcloud.services.pipelines.schedule_clock import advance

REGION = "us-central1"


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
def test_what_no_schedule_can_be_is_refused(
    create_schedule: Callable[..., Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=re.escape(words)):
        create_schedule(**options)


def test_what_a_schedule_runs_is_checked_when_it_is_made(create_schedule: Callable[..., Any], project: str) -> None:
    from google.cloud.aiplatform_v1beta1 import ScheduleServiceClient

    message = create_schedule().gca_resource
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


def test_a_schedule_takes_a_spec_whose_components_a_run_cannot_carry_out(
    cloud: Connection, create_schedule: Callable[..., Any], project: str
) -> None:
    """Vertex AI checks them when a run is created, not before."""
    from google.cloud import aiplatform_v1
    from google.protobuf import json_format

    schedule = create_schedule()
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
