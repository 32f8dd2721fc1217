"""`vertex-vllm compare` over real runs on the local cloud."""

import json
from typing import Any

import pytest
from kfp import dsl

from tests.vertex_vllm.cli.documented_commands import vertex_vllm
from tests.vertex_vllm.cli.test_runs_command import Runs, run_id, runs
from vertex_vllm.runs.vertex_engine import VertexEngine

__all__ = ["runs"]

pytestmark = pytest.mark.usefixtures("working")


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def evaluate_endpoint(text: str, evaluation: dsl.Output[dsl.Artifact]) -> None:
    with open(evaluation.path, "w") as file:
        file.write(text)


@dsl.pipeline(name="evaluated")
def evaluated(document: str, fallbacks: list = []) -> None:  # type: ignore[type-arg]  # noqa: B006  # as KFP wants it
    evaluate_endpoint(text=document)


def compared(runs: Runs, documents: list[str], *options: str) -> Any:
    names = [
        runs.start("llama", evaluated, document=document, fallbacks=[{"region": "europe-west4", "replicas": number}])
        for number, document in enumerate(documents)
    ]
    for name in names:
        VertexEngine().watch(name, lambda run: None)
    return vertex_vllm("compare", *map(run_id, names), "--project", runs.project, *options)


def test_runs_with_lists_in_their_configs_are_compared(runs: Runs) -> None:
    documents = [
        json.dumps(
            {
                "format": "vertex-vllm-evaluation/1",
                "verdict": {"passed": True, "sentence": ""},
                "metrics": {"exact_match": share},
            }
        )
        for share in (0.5, 0.75)
    ]
    answer = compared(runs, documents)
    assert (answer.returncode, answer.stderr) == (0, "")
    said = " ".join(answer.stdout.split())
    assert all(text in said for text in ("passed", "0.5", "0.75", '"replicas": 1', '"replicas": 0')), answer.stdout


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("[]", "not an evaluation: not a JSON object"),
        ('{"format": "vertex-vllm-evaluation/9"}', "its format is 'vertex-vllm-evaluation/9'"),
        ("\\ud800 {", "not an evaluation"),
    ],
)
def test_a_result_that_is_no_evaluation_is_one_message(runs: Runs, document: str, told: str) -> None:
    answer = compared(runs, [document] * 2)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: gs://")
    assert told in line
