import copy
from typing import Any

import pytest

from localcloud.core.api_errors import ApiError
from localcloud.services.pipelines.pipeline_spec import (
    PlannedTask,
    TaskKind,
    check_components,
    check_parameters,
    check_spec,
    planned_tasks,
)
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled

DEFINITIONS = {
    "text": {"parameterType": "STRING"},
    "count": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1.0},
    "ratio": {"parameterType": "NUMBER_DOUBLE", "isOptional": True},
    "flag": {"parameterType": "BOOLEAN", "defaultValue": False},
    "names": {"parameterType": "LIST", "defaultValue": []},
    "options": {"parameterType": "STRUCT", "defaultValue": {}},
}
SPEC = {"root": {"inputDefinitions": {"parameters": DEFINITIONS}}}


def test_the_tasks_of_a_pipeline_are_known_beforehand_but_for_those_in_loops() -> None:
    assert list(planned_tasks(compiled(samples.guarded))) == [
        PlannedTask((), TaskKind.PIPELINE),
        PlannedTask(("exit-handler-1",), TaskKind.GROUP),
        PlannedTask(("exit-handler-1", "add"), TaskKind.CONTAINER),
        PlannedTask(("exit-handler-1", "fail"), TaskKind.CONTAINER),
        PlannedTask(("exit-handler-1", "echo"), TaskKind.CONTAINER),
        PlannedTask(("clean-up",), TaskKind.CONTAINER),
    ]
    assert [task.path for task in planned_tasks(compiled(samples.loops))] == [(), ("add",), ("for-loop-2",), ("total",)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda spec: spec.clear(), "pipelineSpec is required"),
        (lambda spec: spec.update(schemaVersion="2.0.0"), "Compile the pipeline with kfp 2"),
        (lambda spec: spec.pop("pipelineInfo"), "pipelineInfo.name is required"),
        (lambda spec: spec["root"].pop("dag"), "root.dag.tasks is required"),
        (lambda spec: spec["components"].pop("comp-fail"), "component 'comp-fail', which is not there"),
        (lambda spec: spec["deploymentSpec"]["executors"].pop("exec-add"), "comp-add has neither a dag nor"),
        (lambda spec: spec["root"]["dag"]["tasks"].pop("exit-handler-1"), "depends on 'exit-handler-1'"),
    ],
)
def test_an_incomplete_spec_is_refused_with_the_place_that_is_wrong(change: Any, words: str) -> None:
    spec = copy.deepcopy(compiled(samples.guarded))
    change(spec)
    with pytest.raises(ApiError) as refusal:  # noqa: PT012  # a spec is refused by whichever finds it wrong first
        check_spec(spec)
        check_components(spec)
    assert refusal.value.code == "INVALID_ARGUMENT"
    assert words in refusal.value.message


def test_complete_parameters_are_accepted() -> None:
    check_parameters(SPEC, {"text": ""})
    check_parameters(SPEC, {"text": "a", "count": 2.0, "ratio": 1, "flag": True, "names": [1], "options": {"a": None}})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "text is required"),
        ({"text": "a", "txet": "b"}, "txet is not a parameter of the pipeline"),
        ({"text": 1.0}, "text has to be of type STRING, but is 1.0"),
        ({"text": "a", "count": 1.5}, "count has to be of type NUMBER_INTEGER"),
        ({"text": "a", "count": True}, "count has to be of type NUMBER_INTEGER"),
        ({"text": "a", "flag": "false"}, "flag has to be of type BOOLEAN"),
        ({"text": "a", "names": {}}, "names has to be of type LIST"),
        ({"text": None}, "text has to be of type STRING, but is None"),
    ],
)
def test_parameters_that_do_not_fit_are_all_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ApiError) as refusal:
        check_parameters(SPEC, given)
    assert words in refusal.value.message
    assert "Known: text, count, ratio, flag, names, options." in refusal.value.message


def test_a_group_that_contains_itself_is_refused() -> None:
    spec = copy.deepcopy(compiled(samples.guarded))
    inner = spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    inner["again"] = {"componentRef": {"name": "comp-exit-handler-1"}}
    with pytest.raises(ApiError, match="contains itself"):
        list(planned_tasks(spec))


def test_tasks_that_depend_on_each_other_are_refused() -> None:
    spec = copy.deepcopy(compiled(samples.guarded))
    inner = spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    inner["fail"]["dependentTasks"] = ["echo"]
    with pytest.raises(ApiError, match="depend on each other"):
        list(planned_tasks(spec))
