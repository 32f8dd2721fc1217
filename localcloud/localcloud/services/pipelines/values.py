"""Values passed between tasks: JSON for parameters; `ArtifactRecord`s, or lists of them, for artifacts."""

from collections.abc import Mapping
from typing import Any

from localcloud.services.pipelines.job import ArtifactRecord, Values

Json = Mapping[str, Any]


def integral(value: Any) -> Any:
    """`value` with every whole number in it as an integer.

    A protobuf `Struct` holds doubles only. The JSON of Vertex AI writes 3, which Python reads as an integer;
    protobuf's Python library writes 3.0.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [integral(item) for item in value]
    if isinstance(value, dict):
        return {key: integral(item) for key, item in value.items()}
    return value


def typed(value: Any, definition: Json) -> Any:
    """`value` in its parameter's type: a `NUMBER_DOUBLE` is a float; other whole numbers are integers."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and definition.get("parameterType") == "NUMBER_DOUBLE":
        return float(value)
    return integral(value)


def artifacts_in(value: Any) -> tuple[ArtifactRecord, ...]:
    """The artifacts of an input or output, with those of nested loops as one sequence; empty for a parameter."""
    if isinstance(value, ArtifactRecord):
        return (value,)
    if isinstance(value, list):
        return tuple(artifact for item in value for artifact in artifacts_in(item))
    return ()


def described(values: Json) -> Values:
    """The inputs or outputs `values` of a task or group, as clients of the job see them."""
    artifacts = {key: found for key, value in values.items() if (found := artifacts_in(value))}
    parameters = {key: value for key, value in values.items() if value is not None and key not in artifacts}
    return Values(parameters=parameters, artifacts=artifacts)
