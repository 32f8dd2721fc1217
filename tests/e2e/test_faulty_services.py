"""A fifth of all calls to all services fail, and the demo's pipeline passes with real vLLM."""

import pytest

from localcloud.daemon import Connection
from tests.chaos.cases import EVERYTHING, case_of
from tests.demo_project import REGION, DemoProject
from tests.e2e.test_failures import made
from vertex_vllm.project_names import default_bucket
from vertex_vllm.runs.vertex_engine import VertexEngine

pytestmark = [pytest.mark.vllm, pytest.mark.slow, pytest.mark.parity("local cloud only")]


def test_the_demo_s_pipeline_passes(faulty: Connection, demo_project: DemoProject) -> None:
    deployment = demo_project.own_deployment("faulty-services")
    bucket = default_bucket(demo_project.id, REGION)
    name = VertexEngine().submit(demo_project.submission("deploy", deployment))
    for fault in case_of(EVERYTHING, 1).faults_at(bucket):
        faulty.add_fault(**fault)
    run = VertexEngine().watch(name, lambda run: None)
    struck = sum(fault["struck"] for fault in faulty.faults())
    faulty.clear_faults()
    assert run.state == "SUCCEEDED", [(step.name, step.error) for step in run.steps if step.error]
    assert struck > 20
    assert made(demo_project.id, deployment.name) == []
