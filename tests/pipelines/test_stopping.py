"""A step that gets SIGTERM as a container's first process: the compiled command, where only that process is signalled.

The process is the first one of a PID namespace where this machine makes namespaces, as in a container: there, signals
without a handler are ignored.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import storage

from localcloud.daemon import Connection
from localcloud.process import process_table
from localcloud.services.pipelines.image_init import without_init
from tests.vertex_vllm.served_models import NEVER_READY, WEIGHTS, MakePlan, Vertex, in_vertex, make_plan
from tests.waiting import wait_until
from vertex_vllm.labels import OPERATION_LABEL
from vertex_vllm.mirror import Manifest
from vertex_vllm.planning.plan import ServingPlan

__all__ = ["in_vertex", "make_plan"]  # fixtures

COMPILED = Path(__file__).resolve().parents[2] / "compiled"
SPECS = sorted(COMPILED.glob("*.yaml"))
# Kubernetes' terminationGracePeriodSeconds; Vertex AI documents none.
GRACE_SECONDS = 30


def executors(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["deploymentSpec"]["executors"]
    return found


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_step_starts_with_the_image_s_init_and_a_shell_that_makes_way(path: Path) -> None:
    for name, executor in executors(path).items():
        init, dashes, shell, _, script, *_ = executor["container"]["command"]
        assert (init, dashes, shell) == ("tini", "--", "sh"), name
        assert "_KFP_RUNTIME=true exec python3 -m " in script, name


def test_the_image_has_that_init() -> None:
    dockerfile = (COMPILED.parent / "Dockerfile").read_text()
    assert "apt-get install --yes --no-install-recommends tini" in dockerfile


@pytest.fixture(scope="module")
def namespace() -> list[str]:
    """Words that start a command as the first process of a PID namespace; none where that is not possible."""
    start = ["unshare", "--pid", "--fork", "--kill-child=SIGKILL"]
    if shutil.which("unshare") and subprocess.run([*start, "true"], capture_output=True, check=False).returncode == 0:
        return start
    return []


class Step:
    """deploy_model as a container would run it."""

    def __init__(self, vertex: Vertex, plan: ServingPlan, folder: Path, namespace: list[str], run: str = "") -> None:
        model = vertex.upload(plan)
        (folder / "plan.json").write_text(plan.to_json())
        # The manifest lists no object, and the bucket has none: the weights are whole.
        bucket = storage.Client(project=vertex.project).create_bucket(
            f"{vertex.project}-weights", location="us-central1"
        )
        (folder / "manifest").write_text(Manifest("org/name", "0123abcd", f"gs://{bucket.name}/models", ()).to_json())
        (folder / "bin").mkdir()
        (folder / "bin" / "python3").symlink_to(sys.executable)
        command = [
            word.replace("{{$}}", json.dumps(executor_input(vertex.project, model, folder, run)))
            for part in ("command", "args")
            for word in executors(COMPILED / "deploy.yaml")["exec-deploy-model"]["container"][part]
        ]
        init = [] if shutil.which("tini") else without_init(command)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*namespace, *(init or command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PATH": path, "PYTHONPATH": str(COMPILED.parent)},
                cwd=folder,
                start_new_session=True,
            )
        self._namespace = namespace

    @property
    def first_process(self) -> int:
        """On this machine; unshare's only child is the namespace's first."""
        if not self._namespace:
            return self._process.pid
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        (child,) = wait_until(lambda: children.read_text().split())
        return int(child)

    def stop(self, meanwhile: Callable[[], object] = bool) -> str:
        """SIGTERM to the first process alone, SIGKILL after the grace, as a container's runtime does; the log.

        `meanwhile` is called between the two.
        """
        os.kill(self.first_process, signal.SIGTERM)
        meanwhile()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        return self.log.read_text()

    def kill(self) -> None:
        if process_table.start_time(self._process.pid):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def executor_input(project: str, model: str, folder: Path, run: str) -> dict[str, Any]:
    def artifact(name: str, schema: str, **more: Any) -> dict[str, Any]:
        return {"artifacts": [{"name": name, "uri": str(folder / name), "type": {"schemaTitle": schema}, **more}]}

    parameters = {
        **{"project": project, "run": run, "run_id": "run-1", "run_started": "2026-11-30T12:00:00Z"},
        **{"owner": "", "ttl": "", "serving_service_account": "", "model_uri": WEIGHTS},
    }
    return {
        "inputs": {
            "parameterValues": parameters,
            "artifacts": {
                "plan": artifact("plan.json", "system.Artifact"),
                "manifest": artifact("manifest", "system.Artifact"),
                "model": artifact("model", "google.VertexModel", metadata={"resourceName": model}),
            },
        },
        "outputs": {
            "parameters": {name: {"outputFile": str(folder / "out" / name)} for name in ("Output", "gcp_resources")},
            "artifacts": {
                "endpoint": artifact("endpoint", "google.VertexEndpoint"),
                "served": artifact("served", "google.VertexModel"),
                "attempts": artifact("attempts", "system.Artifact"),
                "diagnosis": artifact("diagnosis", "system.Artifact"),
                "diagnosis_page": artifact("diagnosis.html", "system.HTML"),
            },
            "outputFile": str(folder / "output.json"),
        },
    }


class Replicas:
    """They come up when a step has found that their deploy cannot be cancelled, and not before."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "healthy"
        self.flag = f"--healthy-when={self._file}"

    def come_up_after(self, step: Step) -> None:
        wait_until(lambda: "cannot be cancelled" in step.log.read_text())
        self._file.touch()


def operation_id(vertex: Vertex) -> str:
    """Name of the deploy operation in the endpoint's label; empty without the label."""
    return next((each.labels.get(OPERATION_LABEL, "") for each in vertex.endpoints()), "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path


def test_what_is_under_way_is_cancelled(
    in_vertex: Vertex, make_plan: MakePlan, folder: Path, namespace: list[str]
) -> None:
    step = Step(in_vertex, make_plan(args=(NEVER_READY,)), folder, namespace)
    try:
        noted = wait_until(lambda: operation_id(in_vertex))
        log = step.stop()
    finally:
        step.kill()
    assert "Stopped by SIGTERM" in log
    (endpoint,) = in_vertex.endpoints()
    (operation,) = (each for each in in_vertex.operations(endpoint.name) if each.name.endswith(noted))
    assert (operation.done, list(endpoint.deployed_models)) == (True, [])


def test_what_cannot_be_cancelled_is_undeployed_and_its_operation_stands_on_the_endpoint(
    in_vertex: Vertex, make_plan: MakePlan, folder: Path, namespace: list[str], faulty: Connection
) -> None:
    faulty.add_fault(rpc="CancelOperation", kind="error", code="UNIMPLEMENTED", message="not here", times=None)
    replicas = Replicas(folder)
    step = Step(in_vertex, make_plan(args=(replicas.flag,)), folder, namespace)
    try:
        noted = wait_until(lambda: operation_id(in_vertex))
        step.stop(lambda: replicas.come_up_after(step))
    finally:
        step.kill()
    (endpoint,) = wait_until(lambda: [each for each in in_vertex.endpoints() if not each.deployed_models])
    assert endpoint.labels[OPERATION_LABEL] == noted
    undeploys = [each for each in in_vertex.operations(endpoint.name) if "Undeploy" in each.metadata.type_url]
    assert len(undeploys) == 1


@pytest.mark.slow  # The local cloud ends once the call that hangs has ended.
@pytest.mark.parametrize("nth", [1, 2])
def test_a_call_that_hangs_keeps_neither_the_cancellation_nor_the_undeploy_back(
    in_vertex: Vertex, make_plan: MakePlan, folder: Path, namespace: list[str], faulty: Connection, nth: int
) -> None:
    """After the signal, the first or the second look at the endpoint hangs for longer than the grace."""
    faulty.add_fault(rpc="CancelOperation", kind="error", code="UNIMPLEMENTED", message="not here", times=None)
    replicas = Replicas(folder)
    step = Step(in_vertex, make_plan(args=(replicas.flag,)), folder, namespace)
    try:
        wait_until(lambda: operation_id(in_vertex))
        faulty.add_fault(rpc="GetEndpoint", kind="latency", latency_seconds=45, nth=nth, times=1)
        step.stop(lambda: replicas.come_up_after(step))
    finally:
        step.kill()
    (endpoint,) = wait_until(lambda: [each for each in in_vertex.endpoints() if not each.deployed_models])
    undeploys = [each for each in in_vertex.operations(endpoint.name) if "Undeploy" in each.metadata.type_url]
    assert len(undeploys) == 1
