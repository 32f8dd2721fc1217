"""Runs of Kubeflow Pipelines, read into the project's own `Run`."""

from datetime import UTC, datetime
from pathlib import Path

import yaml
from kfp_server_api import GoogleRpcStatus, V2beta1PipelineTaskDetail, V2beta1Run, V2beta1RunDetails

from vertex_vllm.runs.engine import Run, Step
from vertex_vllm.runs.kubeflow_engine import read_run, step_names

ROOT = Path(__file__).resolve().parents[3]
BEGAN, ENDED = datetime(2026, 1, 2, 3, tzinfo=UTC), datetime(2026, 1, 2, 4, tzinfo=UTC)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def task(name: str, state: str, ended: datetime, error: str = "") -> V2beta1PipelineTaskDetail:
    return V2beta1PipelineTaskDetail(
        display_name=name,
        state=state,
        start_time=BEGAN,
        end_time=ended,
        error=GoogleRpcStatus(code=9, message=error) if error else None,
    )


def test_a_run_is_read_with_its_steps_and_without_drivers_and_groups() -> None:
    tasks = [
        task("root", "RUNNING", NEVER),
        task("fetch-driver", "SUCCEEDED", ENDED),
        task("fetch", "CANCELED", ENDED, "was stopped"),
        task("serve", "RUNNING", NEVER),
    ]
    spec = {
        "root": {"dag": {"tasks": {name: {"componentRef": {"name": name}} for name in ("fetch", "serve")}}},
        "components": {"fetch": {}, "serve": {}},
    }
    details = V2beta1RunDetails(task_details=tasks)
    message = V2beta1Run(run_id="7", state="CANCELING", pipeline_spec=spec, run_details=details)
    assert read_run(message) == Run(
        "7",
        "CANCELLING",
        "",
        (
            Step("fetch", "CANCELLED", BEGAN, ENDED, "was stopped", {}),
            Step("serve", "RUNNING", BEGAN, None, "", {}),
        ),
    )


def test_a_run_without_a_spec_of_its_own_has_all_that_kubeflow_lists() -> None:
    details = V2beta1RunDetails(task_details=[task("fetch-driver", "SUCCEEDED", ENDED)])
    assert [step.name for step in read_run(V2beta1Run(run_id="7", run_details=details)).steps] == ["fetch-driver"]


def test_a_run_that_has_only_been_taken_has_no_steps_yet() -> None:
    assert read_run(V2beta1Run(run_id="7")) == Run("7", "PENDING", "", ())


def test_the_steps_of_a_spec_are_its_tasks_that_run_something() -> None:
    names = step_names(yaml.safe_load((ROOT / "compiled" / "deploy.yaml").read_text()))
    assert names == {
        *("setup-bucket", "validate-hf-token", "plan-serving", "check-quota", "mirror-weights", "upload-model"),
        "lock-deployment",
        *(
            "deploy-model",
            "smoke-test-text",
            "smoke-test-image",
            "evaluate-endpoint",
            "promote-endpoint",
            "teardown-run",
        ),
    }
