"""Resolves the placeholders in a component's command, as the launcher of a container does."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Json = Mapping[str, Any]
PathOf = Callable[[str], str]
"""The local path of a `gs://` address whose content a command reads or writes."""

_PLACEHOLDER = re.compile(r"\{\{\$(?:\.(.*?))?\}\}")
_INPUT_PARAMETER = re.compile(r"inputs\.parameters\['(.+?)'\]")
_OUTPUT_PARAMETER = re.compile(r"outputs\.parameters\['(.+?)'\]\.output_file")
_ARTIFACT = re.compile(r"(inputs|outputs)\.artifacts\['(.+?)'\](?:\.(uri|path|name|metadata)(?:\['(.+?)'\])?)?")
_ESCAPED_EXECUTOR_INPUT = re.compile(r"json_escape\[(\d+)\]")
_OUTPUT_FILE = ("outputs.output_file", "outputMetadataUri")
_STRUCTURES = ('{"Concat":', '{"IfPresent":')


def resolved_command(command: Iterable[str], executor_input: Json, path_of: PathOf) -> list[str]:
    """The command as it is started. An unknown placeholder stays as it is."""
    present = {*executor_input["inputs"]["parameterValues"], *executor_input["inputs"]["artifacts"]}
    words = [word for element in command for word in _words(element, present)]
    return [_PLACEHOLDER.sub(lambda match: _text(match, executor_input, path_of), word) for word in words]


def resolved_constant(value: Any, parameters: Json) -> Any:
    """`value`, placeholders of input parameters in its strings and keys replaced by their text."""
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: _parameter_text(match, parameters), value)
    if isinstance(value, list):
        return [resolved_constant(item, parameters) for item in value]
    if isinstance(value, dict):
        return {resolved_constant(key, parameters): resolved_constant(item, parameters) for key, item in value.items()}
    return value


def _words(element: str, present: set[str]) -> list[str]:
    """The words that an element resolves to; none for an `IfPresent` that does not apply."""
    if not element.startswith(_STRUCTURES):
        return [element]
    return _flat(_chosen(json.loads(element), present))


def _chosen(structure: Any, present: set[str]) -> Any:
    """A string, a list of those, or None."""
    if isinstance(structure, list):
        return [_chosen(item, present) for item in structure]
    if isinstance(structure, str) or structure is None:
        return structure
    if "Concat" in structure:
        return "".join(_flat([_chosen(part, present) for part in structure["Concat"]]))
    condition = structure["IfPresent"]
    return _chosen(condition["Then"] if condition["InputName"] in present else condition.get("Else"), present)


def _flat(value: Any) -> list[str]:
    if value is None:
        return []
    return [word for item in value for word in _flat(item)] if isinstance(value, list) else [value]


def _text(match: re.Match[str], executor_input: Json, path_of: PathOf) -> str:
    name = match[1]
    if name is None:
        return json.dumps(executor_input)
    if name in _OUTPUT_FILE:
        return str(executor_input["outputs"]["outputFile"])
    if escaped := _ESCAPED_EXECUTOR_INPUT.fullmatch(name):
        return _escaped(json.dumps(executor_input), int(escaped[1]))
    if output := _OUTPUT_PARAMETER.fullmatch(name):
        return str(executor_input["outputs"]["parameters"].get(output[1], {}).get("outputFile", match[0]))
    if artifact := _ARTIFACT.fullmatch(name):
        return _artifact_text(artifact, executor_input, path_of, match[0])
    return _parameter_text(match, executor_input["inputs"]["parameterValues"], missing="null")


def _parameter_text(match: re.Match[str], parameters: Json, missing: str | None = None) -> str:
    named = _INPUT_PARAMETER.fullmatch(match[1] or "")
    if named is None:
        return match[0]
    if named[1] not in parameters:
        return match[0] if missing is None else missing
    return as_text(parameters[named[1]])


def as_text(value: Any) -> str:
    """A string as it is, a whole number without a fraction, anything else as JSON."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _artifact_text(match: re.Match[str], executor_input: Json, path_of: PathOf, unresolved: str) -> str:
    """Text of an artifact: of a list the first one, as in Kubeflow; without a field the whole list as JSON."""
    side, name, field, key = match.groups()
    listed = executor_input[side]["artifacts"].get(name, {}).get("artifacts", [])
    if field is None:
        return json.dumps(listed)
    if not listed:
        return "null" if name not in executor_input[side]["artifacts"] else unresolved
    artifact = listed[0]
    if field == "path":
        return path_of(artifact["uri"])
    if field == "metadata":
        return as_text(artifact["metadata"] if key is None else artifact["metadata"].get(key))
    return str(artifact[field])


def _escaped(text: str, times: int) -> str:
    for _ in range(times):
        text = json.dumps(text)[1:-1]
    return text
