"""`vertex-vllm endpoints list` over endpoints on the local cloud."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import storage

from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled_with_init
from tests.prepared import PINNED_IMAGE, runner, with_runner
from tests.vertex_vllm.cli.documented_commands import commands_in, vertex_vllm
from tests.vertex_vllm.served_models import REGION, MakePlan, Vertex
from vertex_vllm.catalog.prices import HourlyPrice
from vertex_vllm.cli.endpoints_command import total
from vertex_vllm.labels import Owner
from vertex_vllm.lifecycle.promotion import promote_endpoint
from vertex_vllm.runs.submission import Submission, run_labels
from vertex_vllm.runs.vertex_engine import VertexEngine

pytestmark = pytest.mark.usefixtures("working")


def submit_run(project: str, run_id: str, folder: Path, pipeline: Any = samples.optional, **parameters: str) -> None:
    bucket = storage.Client(project=project).create_bucket(f"{project}-runs", location=REGION)
    spec = folder / "spec.yaml"
    spec.write_text(yaml.safe_dump(compiled_with_init(pipeline)))
    labels = run_labels("deploy", "x")
    root = with_runner(project, bucket.name)
    VertexEngine().submit(
        Submission(project, REGION, spec, run_id, parameters, root, labels, runner(project), PINNED_IMAGE)
    )


def test_everything_served_is_listed_with_price_and_maker(
    in_vertex: Vertex, make_plan: MakePlan, tmp_path: Path, cloud: Any
) -> None:
    cpu = make_plan(deployment="a-cpu")
    gpu = make_plan(
        deployment="b-gpu", machine_type="g2-standard-12", accelerator_type="NVIDIA_L4", accelerator_count=1
    )
    again = replace(gpu, max_model_len=2048)
    submit_run(in_vertex.project, "run-1", tmp_path)
    names = [in_vertex.deploy(cpu, "run-0"), in_vertex.deploy(gpu, "run-1"), in_vertex.deploy(again, "run-1")]
    model = in_vertex.endpoint(names[2]).deployed_models[0]
    version = f"{model.model.partition('@')[0]}@{model.model_version_id}"
    promote_endpoint(in_vertex.project, REGION, names[2], version, Owner("b-gpu", "run-1"))
    in_vertex.endpoint_client.create_endpoint(parent=in_vertex.parent, endpoint={"display_name": "foreign"}).result()

    rows = json.loads(vertex_vllm("endpoints", "list", "--project", in_vertex.project, "--json").stdout)
    told = [(row["endpoint"], row["stage"], row["run"], row["made_by"], row["usd_per_hour"]) for row in rows]
    price = {"least": 1.0004, "most": 1.0004}
    assert told == [
        (names[0], None, "run-0", None, None),
        (names[2], "live", "run-1", runner(in_vertex.project), price),
        (names[1], "superseded", "run-1", runner(in_vertex.project), price),
    ]
    (documented,) = (
        words[1:] for words in commands_in("runs.md", PROJECT=in_vertex.project) if words[1] == "endpoints"
    )
    answer = vertex_vllm(*documented)
    header, first, second, third, empty, together = answer.stdout.splitlines()
    assert header.split()[:4] == ["deployment", "stage", "endpoint", "machine"]
    assert ["unknown" in line for line in (first, second, third)] == [True, False, False]
    assert "g2-standard-12 (1 × NVIDIA_L4)" in second
    assert (empty, together) == ("", "Together 2.00 USD/h, and 1 of unknown price")
    assert "us-central1" in answer.stderr


def test_a_project_without_endpoints_has_none(project: str, cloud: Any) -> None:
    answer = vertex_vllm("endpoints", "list", "--project", project)
    assert (answer.returncode, answer.stdout, answer.stderr) == (
        0,
        "",
        f"no endpoints in project {project}, region {REGION}\n",
    )


def test_the_sum_is_of_what_is_known() -> None:
    assert total([HourlyPrice(1, 1), HourlyPrice(2, 4), None, None]) == (
        "Together 3.00 to 5.00 USD/h, and 2 of unknown price"
    )
