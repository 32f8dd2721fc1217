"""The inputs of a task: from constants, the group's inputs and other tasks' outputs."""

from pathlib import Path
from typing import Any

import pytest

from localcloud.services.pipelines.executor_input import executor_input
from localcloud.services.pipelines.job import ArtifactRecord
from localcloud.services.pipelines.task_arguments import selected, task_arguments
from localcloud.services.pipelines.values import artifacts_in, integral

FROM_TASK = {"taskOutputParameter": {"producerTask": "before", "outputParameterKey": "Output"}}


def arguments(sources: dict[str, Any], definitions: dict[str, Any], produced: dict[str, Any], **given: Any) -> Any:
    task = {"inputs": {"parameters": sources}}
    return task_arguments(task, {"inputDefinitions": {"parameters": definitions}}, given, produced)


def test_whole_numbers_are_integers_at_any_depth() -> None:
    assert repr(integral({"a": [1.0, 2.5, {"b": -3.0}], "c": True, "d": "1.0", "e": float("inf")})) == repr(
        {"a": [1, 2.5, {"b": -3}], "c": True, "d": "1.0", "e": float("inf")}
    )


def test_only_constants_are_searched_for_placeholders() -> None:
    sources = {
        "text": {"runtimeValue": {"constant": "{{$.inputs.parameters['number']}} of {{$.inputs.parameters['given']}}"}},
        "number": FROM_TASK,
        "given": {"componentInputParameter": "given"},
    }
    found = arguments(sources, {}, {"before": {"Output": 3}}, given="{{$.inputs.parameters['number']}}")
    assert found == {
        "text": "3 of {{$.inputs.parameters['number']}}",
        "number": 3,
        "given": "{{$.inputs.parameters['number']}}",
    }


def test_an_input_that_nothing_produced_is_left_to_its_default_or_is_told() -> None:
    for optional in ({"defaultValue": 7}, {"isOptional": True}):
        assert arguments({"x": FROM_TASK}, {"x": optional}, {"before": {}}) == {}
    with pytest.raises(ValueError, match="x has no value: before did not produce its output Output"):
        arguments({"x": FROM_TASK}, {"x": {}}, {"before": {}})


@pytest.mark.parametrize(
    ("value", "selector", "part"),
    [
        ({"a": 1.0}, "", {"a": 1.0}),
        ({"a": {"b": [1.0, 2.0]}}, 'parseJson(string_value)["a"]', {"b": [1, 2]}),
        ('{"a": 2}', 'parseJson(string_value)["a"]', 2),
        ({"a": {"b": 5.0}}, 'parseJson(string_value)["a"]["b"]', 5),
        ([4.0, 5.0], "parseJson(string_value)[1]", 5),
    ],
)
def test_a_selector_takes_a_part(value: Any, selector: str, part: Any) -> None:
    assert repr(selected(value, selector)) == repr(part)


def test_a_selector_without_its_part_is_told() -> None:
    with pytest.raises(ValueError, match="finds nothing"):
        selected({"a": 1}, 'parseJson(string_value)["b"]')
    with pytest.raises(ValueError, match="not a selector"):
        selected({"a": 1}, "size(string_value)")


def test_none_is_left_out_numbers_have_their_type_and_lists_of_artifacts_are_flat() -> None:
    records = [
        ArtifactRecord(name=name, uri=f"gs://b/{name}", schema_title="system.Model", schema_version="1", metadata={})
        for name in "ab"
    ]
    component = {
        "inputDefinitions": {
            "parameters": {
                "ratio": {"parameterType": "NUMBER_DOUBLE"},
                "count": {"parameterType": "NUMBER_INTEGER"},
                "usual": {"parameterType": "LIST", "defaultValue": [1.0]},
                "left": {"parameterType": "NUMBER_INTEGER", "isOptional": True},
            },
            "artifacts": {"models": {"isArtifactList": True}, "empty": {}, "missing": {"isOptional": True}},
        },
        "outputDefinitions": {"parameters": {"Output": {}}},
    }
    given = {
        "ratio": 2,
        "count": 2.0,
        "left": None,
        "models": [[records[0]], [records[1]]],
        "empty": [],
        "missing": None,
    }
    told = executor_input(component, given, {}, Path("/run"))
    assert repr(told["inputs"]["parameterValues"]) == repr({"ratio": 2.0, "count": 2, "usual": [1]}) or told["inputs"][
        "parameterValues"
    ] == {"ratio": 2.0, "count": 2, "usual": [1]}
    assert [each["uri"] for each in told["inputs"]["artifacts"]["models"]["artifacts"]] == ["gs://b/a", "gs://b/b"]
    assert told["inputs"]["artifacts"]["empty"] == {"artifacts": []}
    assert "missing" not in told["inputs"]["artifacts"]
    assert told["outputs"]["parameters"] == {"Output": {"outputFile": "/run/Output"}}
    assert artifacts_in(given["models"]) == tuple(records)
