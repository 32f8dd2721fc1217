"""An endpoint of the local cloud with an evaluation of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from google.cloud.storage import Client

from tests.vertex_vllm.evaluation.evaluations import FRANCE, SUITE
from tests.vertex_vllm.served_models import REGION, Vertex, own_project, serving_plan
from vertex_vllm.evaluation.evaluate import Asking, Subject, Thresholds, evaluate_endpoint
from vertex_vllm.labels import Owner
from vertex_vllm.serving.deploy import deploy_model
from vertex_vllm.serving.upload import upload_model

COMMIT = "c" * 40
MODEL = "meta-llama/Llama-3.1-8B-Instruct"


class Evaluated:
    """An endpoint in a project of its own, whose weights come from a bucket there, and its evaluation."""

    def __init__(self, in_vertex: Vertex) -> None:
        self.in_vertex = in_vertex
        self.project = self.in_vertex.project
        self.bucket = f"{self.project}-vertex-vllm-{REGION}"
        Client(project=self.project).create_bucket(self.bucket, location=REGION)
        self.plan = serving_plan(model_id=MODEL, commit=COMMIT, args=("--stop-after=0",))
        weights = f"gs://{self.bucket}/models/{MODEL}/{COMMIT}"
        owner = Owner(self.plan.deployment, "run-1")
        model = upload_model(self.project, self.plan, weights, owner)
        self.endpoint = deploy_model(self.project, self.plan, model, owner, "", deadline_seconds=60)
        asking = Asking(replace(SUITE, items=(FRANCE,)), concurrency=2)
        self.evaluation = evaluate_endpoint(Subject(self.endpoint, True, "demo"), Thresholds(), asking)


@pytest.fixture(scope="module")
def served(cloud: Any) -> Iterator[Evaluated]:
    with own_project(cloud) as in_vertex:
        yield Evaluated(in_vertex)
