"""The specs in compiled/: current, reproducible, and in the form that Vertex AI Pipelines and its console take."""

from typing import Any

import pytest
import yaml

from components.image import IMAGE
from pipelines.compile import COMPILED, PIPELINES, compile_pipeline
from vertex_vllm.config.pipeline_parameters import parameters_of

# Linux's MAX_ARG_STRLEN: a step's whole source is one argument of its command.
ARGUMENT_BYTES = 131_072
KFP_TYPES = {str: "STRING", int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE", bool: "BOOLEAN", list: "LIST"}


@pytest.fixture(params=PIPELINES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def spec(name: str) -> dict[str, Any]:
    # safe_load raises for a second document, as Vertex's SDK does.
    loaded = yaml.safe_load((COMPILED / f"{name}.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_the_committed_spec_is_what_the_pipeline_compiles_to(name: str) -> None:
    assert (COMPILED / f"{name}.yaml").read_text() == compile_pipeline(name)


def test_compiling_twice_gives_the_same_bytes(name: str) -> None:
    assert compile_pipeline(name) == compile_pipeline(name)


def test_every_parameter_has_the_type_default_and_description_of_the_config(name: str, spec: dict[str, Any]) -> None:
    expected = {}
    for parameter in parameters_of(name):
        definition: dict[str, Any] = {
            "description": parameter.description,
            "parameterType": KFP_TYPES[parameter.type],
        }
        if parameter.default is not None:
            definition |= {"defaultValue": parameter.default, "isOptional": True}
        expected[parameter.name] = definition
    assert spec["root"]["inputDefinitions"]["parameters"] == expected


def test_every_step_runs_in_our_image_and_installs_nothing(spec: dict[str, Any]) -> None:
    containers = [executor["container"] for executor in spec["deploymentSpec"]["executors"].values()]
    assert {container["image"] for container in containers} == {IMAGE}
    assert not [container for container in containers if "pip install" in " ".join(container["command"])]
    assert max(len(text.encode()) for container in containers for text in container["command"]) < ARGUMENT_BYTES


def test_no_step_is_cached_since_every_step_looks_at_or_changes_the_world(spec: dict[str, Any]) -> None:
    dags = [spec["root"]["dag"]] + [part["dag"] for part in spec["components"].values() if "dag" in part]
    cached = [
        task_name
        for dag in dags
        for task_name, task in dag["tasks"].items()
        if "dag" not in spec["components"][task["componentRef"]["name"]] and task["cachingOptions"].get("enableCache")
    ]
    assert cached == []


def test_a_published_image_replaces_the_default_one_everywhere(name: str) -> None:
    pinned = f"us-docker.pkg.dev/p/r/python-steps@sha256:{'0' * 64}"
    text = compile_pipeline(name, pinned)
    assert IMAGE not in text
    assert text.count(pinned) == compile_pipeline(name).count(IMAGE)


def test_the_exit_handler_of_deploy_takes_only_parameters_of_the_pipeline() -> None:
    spec = yaml.safe_load((COMPILED / "deploy.yaml").read_text())
    task = spec["root"]["dag"]["tasks"]["teardown-run"]
    assert task["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    given = {name: next(iter(value)) for name, value in task["inputs"]["parameters"].items()}
    assert given == {
        "project": "componentInputParameter",
        "fallbacks": "componentInputParameter",
        "region": "componentInputParameter",
        "bucket": "componentInputParameter",
        "deployment": "componentInputParameter",
        "keep_endpoint": "componentInputParameter",
        "run_id": "runtimeValue",
        "status": "taskFinalStatus",
    }


def test_only_an_endpoint_that_stays_is_promoted_and_only_when_it_was_evaluated() -> None:
    spec = yaml.safe_load((COMPILED / "deploy.yaml").read_text())
    groups = {
        name: task
        for part in (spec["root"], *spec["components"].values())
        for name, task in part.get("dag", {}).get("tasks", {}).items()
        if "promote-endpoint" in spec["components"][task["componentRef"]["name"]].get("dag", {}).get("tasks", {})
    }
    ((_, group),) = groups.items()
    kept = "pipelinechannel--keep_endpoint"
    assert group["triggerPolicy"] == {"condition": f"inputs.parameter_values['{kept}'] == true"}
    assert group["inputs"]["parameters"][kept] == {"componentInputParameter": kept}
    assert "evaluate-endpoint" in group["dependentTasks"]
