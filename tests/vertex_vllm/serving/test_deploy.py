"""Deploying: once, within a deadline, and undone if it does not end."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue

import pytest
from google.longrunning.operations_pb2 import Operation

from localcloud.daemon import Connection
from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.served_models import NEVER_READY, REGION, MakePlan, Vertex
from tests.waiting import PATIENCE_SECONDS
from vertex_vllm.errors import DeploymentError
from vertex_vllm.labels import IMAGE_TAG_LABEL, Owner
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.serving.deploy import deploy_model
from vertex_vllm.vertex_ai.resource_names import ResourceName

CANCELLED = 1
SOON, LATER = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC)


def test_a_model_is_deployed_once_however_often_it_is_asked_for(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan, operations = make_plan(), []
    name = in_vertex.deploy(plan, on_operation=operations.append)
    again = in_vertex.deploy(plan, run="run-2", on_operation=operations.append)
    assert again == name
    (endpoint,) = in_vertex.endpoints()
    assert endpoint.name == name
    assert ResourceName.parse(name, "endpoints").id == f"vllm-{plan.deployment}-{plan.served_id}"
    assert dict(endpoint.labels) == Owner(plan.deployment, "run-1", plan.config_hash).labels
    (deployed,) = endpoint.deployed_models
    assert dict(endpoint.traffic_split) == {deployed.id: 100}
    assert operations == [operation.name for operation in in_vertex.operations(name) if is_deploy(operation)]


def test_a_changed_config_is_tried_beside_the_one_that_serves(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    first = in_vertex.deploy(plan)
    second = in_vertex.deploy(replace(plan, max_model_len=512))
    assert first != second
    assert [len(in_vertex.endpoint(name).deployed_models) for name in (first, second)] == [1, 1]


def test_a_deploy_that_is_still_going_on_is_joined(in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path) -> None:
    gate = tmp_path / "healthy"
    plan, started, joined = make_plan(args=(f"--healthy-when={gate}",)), Queue(), []
    with ThreadPoolExecutor() as pool:
        first = pool.submit(in_vertex.deploy, plan, on_operation=started.put)
        operation = started.get(timeout=PATIENCE_SECONDS)
        second = in_vertex.deploy(plan, on_operation=lambda name: (joined.append(name), gate.touch()))
        assert first.result(timeout=PATIENCE_SECONDS) == second
    assert joined == [operation]
    assert len(in_vertex.endpoint(second).deployed_models) == 1


def test_two_runs_at_the_same_moment_deploy_once(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    model = in_vertex.upload(plan)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(deploy, in_vertex, plan, model, run) for run in ("run-1", "run-2")]
        assert len({run.result(timeout=PATIENCE_SECONDS) for run in runs}) == 1
    (endpoint,) = in_vertex.endpoints()
    assert len(endpoint.deployed_models) == 1


def test_what_a_second_run_finds_lives_as_long_as_that_run_asks(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    name = in_vertex.deploy(plan, expires=SOON)
    for expires, then in ((LATER, LATER), (SOON, LATER), (None, None)):
        assert in_vertex.deploy(plan, run="run-2", expires=expires) == name
        (version,) = in_vertex.versions()
        made_by = Owner(plan.deployment, "run-1", plan.config_hash, expires=then).labels
        assert dict(in_vertex.endpoint(name).labels) == made_by
        assert dict(version.labels) == {**made_by, IMAGE_TAG_LABEL: ""}


def test_a_version_that_nothing_serves_belongs_to_the_run_that_finds_it(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    assert in_vertex.upload(plan, run="run-1") == in_vertex.upload(plan, run="run-2")
    (version,) = in_vertex.versions()
    assert version.labels["vertex-vllm-run"] == "run-2"


def test_an_endpoint_left_empty_is_taken_over(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan(args=("--exit=1",))
    for run in ("run-1", "run-2"):
        with pytest.raises(DeploymentError, match="could not deploy"):
            in_vertex.deploy(plan, run)
    (endpoint,) = in_vertex.endpoints()
    assert endpoint.labels["vertex-vllm-run"] == "run-2"


def test_a_container_that_ends_fails_the_deploy_with_what_to_read(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan(args=("--exit=3",))
    with pytest.raises(DeploymentError) as raised:
        in_vertex.deploy(plan)
    (endpoint,) = in_vertex.endpoints()
    assert not endpoint.deployed_models
    (operation,) = [operation for operation in in_vertex.operations(endpoint.name) if is_deploy(operation)]
    assert operation.error.message in raised.value.message
    assert f'resource.labels.endpoint_id="{ResourceName.parse(endpoint.name, "endpoints").id}"' in raised.value.fix


def test_a_deploy_that_takes_too_long_is_cancelled(in_vertex: Vertex, make_plan: MakePlan) -> None:
    with pytest.raises(DeploymentError, match="Not deployed within 2 s: the operation was cancelled"):
        in_vertex.deploy(make_plan(args=(NEVER_READY,)), deadline_seconds=2)
    assert_nothing_is_deployed(in_vertex)


SCRIPT = """
import sys
from tests.vertex_vllm.served_models import NEVER_READY
from vertex_vllm.labels import Owner
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.serving.deploy import deploy_model
from vertex_vllm.steps import step

project, model = sys.argv[1:]
plan = ServingPlan.from_json(sys.stdin.read())
with step():
    deploy_model(project, plan, model, Owner(plan.deployment, "run-1"), "", 600, lambda name: print(name, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_process_told_to_stop_leaves_nothing_deployed(
    in_vertex: Vertex, make_plan: MakePlan, number: signal.Signals
) -> None:
    plan = make_plan(args=(NEVER_READY,))
    model = in_vertex.upload(plan)
    argv = [sys.executable, "-c", SCRIPT, in_vertex.project, model]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(argv, text=True, **pipes) as process:
        process.stdin.write(plan.to_json())
        process.stdin.close()
        assert process.stdout.readline().startswith("projects/")
        process.send_signal(number)
        errors = process.stderr.read()
    assert process.returncode == 1, errors
    assert f"Stopped by {number.name}" in errors
    assert "the operation was cancelled; nothing came up" in errors
    assert_nothing_is_deployed(in_vertex)


def test_a_failure_to_note_the_operation_does_not_leave_it_running(in_vertex: Vertex, make_plan: MakePlan) -> None:
    def full(name: str) -> None:
        raise OSError("No space left on device")

    with pytest.raises(DeploymentError, match="No space left on device: the operation was cancelled"):
        in_vertex.deploy(make_plan(args=(NEVER_READY,)), on_operation=full)
    assert_nothing_is_deployed(in_vertex)


def test_the_operation_is_noted_though_the_endpoint_changes_meanwhile(
    in_vertex: Vertex, make_plan: MakePlan, faulty: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    conflict = "The etag does not match: the resource was changed since it was read."
    faulty.add_fault(rpc="UpdateEndpoint", kind="error", code="ABORTED", message=conflict, times=1)
    in_vertex.deploy(make_plan())
    (fault,) = faulty.faults()
    assert (fault["struck"], "could not be noted" in caplog.text) == (1, False)


def test_a_shortage_is_told_in_the_services_words(in_vertex: Vertex, make_plan: MakePlan, local: LocalCloud) -> None:
    quota = "CustomModelServingL4GPUsPerProjectPerRegion"
    local.put("quotas", project=in_vertex.project, quota_id=quota, region=REGION, limit=0)
    with pytest.raises(DeploymentError, match=r"RESOURCE_EXHAUSTED: .*quota"):
        in_vertex.deploy(make_plan(machine_type="g2-standard-8", accelerator_type="NVIDIA_L4", accelerator_count=1))


def test_somebody_elses_endpoint_of_that_id_is_not_touched(in_vertex: Vertex, make_plan: MakePlan) -> None:
    plan = make_plan()
    made = in_vertex.endpoint_client.create_endpoint(
        parent=in_vertex.parent,
        endpoint={"display_name": "theirs"},
        endpoint_id=f"vllm-{plan.deployment}-{plan.served_id}",
    ).result(timeout=PATIENCE_SECONDS)
    theirs = in_vertex.endpoint(made.name)
    with pytest.raises(DeploymentError, match="not touched"):
        in_vertex.deploy(plan)
    assert in_vertex.endpoint(theirs.name) == theirs


def deploy(in_vertex: Vertex, plan: ServingPlan, model: str, run: str) -> str:
    return deploy_model(in_vertex.project, plan, model, Owner(plan.deployment, run), "", 60)


def is_deploy(operation: Operation) -> bool:
    return operation.metadata.type_url.endswith("DeployModelOperationMetadata")


def assert_nothing_is_deployed(in_vertex: Vertex) -> None:
    (endpoint,) = in_vertex.endpoints()
    assert not endpoint.deployed_models
    (operation,) = [operation for operation in in_vertex.operations(endpoint.name) if is_deploy(operation)]
    assert operation.done
    assert operation.error.code == CANCELLED
