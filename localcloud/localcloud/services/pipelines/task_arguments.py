"""The inputs of one task, from its group's inputs and the outputs of earlier tasks."""

import json
import re
from collections.abc import Mapping
from typing import Any

from localcloud.services.pipelines.component_command import resolved_constant
from localcloud.services.pipelines.values import integral

Json = Mapping[str, Any]

# The compiler's only selector: `parseJson(string_value)["key"]`, for an item of a loop over mappings.
_SELECTOR = re.compile(r"""parseJson\(string_value\)((?:\[(?:"[^"]*"|'[^']*'|\d+)\])*)""")
_KEY = re.compile(r"""\[(?:"([^"]*)"|'([^']*)'|(\d+))\]""")


def task_arguments(task: Json, component: Json, given: Json, produced: Mapping[str, Json]) -> dict[str, Any]:
    """Values by input name. `given`: the group's inputs; `produced`: outputs by task name of the group's tasks.

    An optional input whose source has no value is left out, so that the component's default applies: its producer was
    skipped or failed, and the task ignores failures before it. Raises ValueError when a required input has no value.
    """
    inputs, definitions = task.get("inputs", {}), component.get("inputDefinitions", {})
    found: dict[str, Any] = {}
    for kind in ("parameters", "artifacts"):
        for name, source in inputs.get(kind, {}).items():
            if "taskFinalStatus" in source:
                continue
            definition = definitions.get(kind, {}).get(name, {})
            try:
                found[name] = _value(source, given, produced)
            except LookupError as error:
                if not ("defaultValue" in definition or definition.get("isOptional")):
                    raise ValueError(f"{name} has no value: {error.args[0]}") from None
    return _with_constants_resolved(inputs.get("parameters", {}), found)


def _value(source: Json, given: Json, produced: Mapping[str, Json]) -> Any:
    """The value of an input. Raises LookupError, whose first argument names the missing output or input."""
    if "runtimeValue" in source:
        return integral(source["runtimeValue"].get("constant"))
    output = source.get("taskOutputParameter") or source.get("taskOutputArtifact")
    if output:
        task, key = output["producerTask"], output.get("outputParameterKey") or output["outputArtifactKey"]
        if key not in produced.get(task, {}):
            raise LookupError(f"{task} did not produce its output {key}")
        return produced[task][key]
    name = str(source.get("componentInputParameter") or source.get("componentInputArtifact"))
    if name not in given:
        raise LookupError(f"the pipeline has no input {name}")
    return selected(given[name], source.get("parameterExpressionSelector", ""))


def selected(value: Any, selector: str) -> Any:
    """The part of `value` that a `parameterExpressionSelector` names. Raises ValueError when the part does not
    exist."""
    if not selector:
        return value
    match = _SELECTOR.fullmatch(selector)
    if match is None:
        raise ValueError(f"`{selector}` is not a selector that the KFP compiler writes")
    found = json.loads(value) if isinstance(value, str) else value
    for double, single, index in _KEY.findall(match[1]):
        try:
            found = found[int(index)] if index else found[double or single]
        except (KeyError, IndexError, TypeError):
            raise ValueError(f"`{selector}` finds nothing in {json.dumps(value)}") from None
    return integral(found)


def _with_constants_resolved(sources: Json, found: dict[str, Any]) -> dict[str, Any]:
    """Resolves placeholders of other inputs in constants only: text from a user or a task is not changed."""
    constants = {name for name in found if "runtimeValue" in sources.get(name, {})}
    return {name: resolved_constant(value, found) if name in constants else value for name, value in found.items()}
