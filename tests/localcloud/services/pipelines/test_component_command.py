"""Placeholders in a component's command, as Kubeflow's launcher resolves them."""

import json
from typing import Any

import pytest

from localcloud.services.pipelines.component_command import resolved_command, resolved_constant

MODEL = {"name": "m1", "type": {"schemaTitle": "system.Model"}, "uri": "gs://bucket/model", "metadata": {"size": 3}}
TOLD: Any = {
    "inputs": {
        "parameterValues": {
            "text": "it's {{$.inputs.parameters['number']}}",
            "number": 3,
            "ratio": 0.5,
            "whole": 2.0,
            "flag": False,
            "items": [1, "two"],
            "empty": "",
        },
        "artifacts": {
            "models": {"artifacts": [MODEL, {**MODEL, "uri": "gs://bucket/other"}]},
            "none": {"artifacts": []},
        },
    },
    "outputs": {
        "parameters": {"out": {"outputFile": "/run/out"}},
        "artifacts": {"data": {"artifacts": [{"uri": "gs://bucket/run/data"}]}},
        "outputFile": "/run/executor_output.json",
    },
}


def resolved(*command: str) -> list[str]:
    return resolved_command(command, TOLD, lambda uri: uri.replace("gs://", "/gcs/"))


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("{{$.inputs.parameters['text']}}", "it's {{$.inputs.parameters['number']}}"),
        ("n={{$.inputs.parameters['number']}}!", "n=3!"),
        ("{{$.inputs.parameters['ratio']}}", "0.5"),
        ("{{$.inputs.parameters['whole']}}", "2"),
        ("{{$.inputs.parameters['flag']}}", "false"),
        ("{{$.inputs.parameters['items']}}", '[1, "two"]'),
        ("{{$.inputs.artifacts['models'].uri}}", "gs://bucket/model"),
        ("{{$.inputs.artifacts['models'].path}}", "/gcs/bucket/model"),
        ("{{$.inputs.artifacts['models'].metadata}}", '{"size": 3}'),
        ("{{$.inputs.artifacts['models'].metadata['size']}}", "3"),
        ("{{$.inputs.artifacts['models']}}", json.dumps(TOLD["inputs"]["artifacts"]["models"]["artifacts"])),
        ("{{$.outputs.parameters['out'].output_file}}", "/run/out"),
        ("{{$.outputs.artifacts['data'].path}}", "/gcs/bucket/run/data"),
        ("{{$.outputs.artifacts['data'].uri}}", "gs://bucket/run/data"),
        ("{{$.outputs.output_file}}", "/run/executor_output.json"),
        ("{{$.nobody_knows}}", "{{$.nobody_knows}}"),
        ("{{$.inputs.artifacts['none'].uri}}", "{{$.inputs.artifacts['none'].uri}}"),
    ],
)
def test_each_placeholder_has_its_text(element: str, text: str) -> None:
    assert resolved(element) == [text]


def test_the_executor_input_is_one_argument_or_stands_in_a_json_string() -> None:
    whole, payload = resolved("{{$}}", '{"arguments": "{{$.json_escape[1]}}"}')
    assert json.loads(whole) == TOLD
    assert json.loads(json.loads(payload)["arguments"]) == TOLD


def test_structures_become_words() -> None:
    def if_present(name: str, then: Any, otherwise: Any = None) -> str:
        return json.dumps({"IfPresent": {"InputName": name, "Then": then, "Else": otherwise}})

    assert resolved(
        if_present("number", ["--number", "{{$.inputs.parameters['number']}}"]),
        if_present("absent", ["--absent"]),
        if_present("absent", "then", "else"),
        if_present("empty", ["--empty", "{{$.inputs.parameters['empty']}}"]),
        json.dumps(
            {"Concat": ["a-", "{{$.inputs.parameters['number']}}", {"IfPresent": {"InputName": "x", "Then": "y"}}]}
        ),
    ) == ["--number", "3", "else", "--empty", "", "a-3"]


def test_placeholders_in_constants_are_text_and_all_else_is_left() -> None:
    constant = {"{{$.inputs.parameters['name']}}": ["a{{$.inputs.parameters['count']}}", 4, {"x": "{{$.other}}"}]}
    assert resolved_constant(constant, {"name": "key", "count": 3}) == {"key": ["a3", 4, {"x": "{{$.other}}"}]}
