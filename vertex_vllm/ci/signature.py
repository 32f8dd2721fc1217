"""A config's parameters against the signature of a compiled pipeline."""

from collections.abc import Mapping
from typing import Any

from vertex_vllm.config import Deployment, Fault
from vertex_vllm.config.pipeline_parameters import field_of, parameter_values
from vertex_vllm.foreign_yaml import parsed

# Types of `ParameterType` in KFP's pipeline spec → JSON values.
_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}


def signature(spec: str) -> Mapping[str, Any]:
    """Parameters that a compiled spec takes: `root.inputDefinitions.parameters`. Raises ValueError for a file that is
    not a spec."""
    loaded = parsed(spec)
    if not isinstance(loaded, dict) or not isinstance(loaded.get("root"), dict):
        raise ValueError("it has no `root`")
    parameters: Mapping[str, Any] = loaded["root"].get("inputDefinitions", {}).get("parameters", {})
    return parameters


def check_signature(deployment: Deployment, pipeline: str, inputs: Mapping[str, Any]) -> list[Fault]:
    """Values of this deployment that the pipeline would refuse, each at its field of the config."""
    values = parameter_values(pipeline, deployment, deployment.google_cloud.project or "PROJECT")
    faults = [
        Fault(field_of(name), f"compiled/{pipeline}.yaml {complaint}. Run `make compile`")
        for name, value in values.items()
        if (complaint := _complaint(name, value, inputs.get(name)))
    ]
    missing = [
        name
        for name, definition in inputs.items()
        if name not in values and "defaultValue" not in definition and not definition.get("isOptional")
    ]
    # A parameter that no field of the config gives: the fault is the whole file's.
    needed = "compiled/{}.yaml needs {}, which no config has. Run `make compile`"
    return faults + [Fault((), needed.format(pipeline, name)) for name in missing]


def _complaint(name: str, value: Any, definition: Mapping[str, Any] | None) -> str:
    if definition is None:
        return f"has no parameter {name}"
    wanted = definition["parameterType"]
    taken = _TYPES.get(wanted, ())
    # A bool is an int to Python, but no number to KFP.
    if not isinstance(value, taken) or (isinstance(value, bool) and bool not in taken):
        return f"takes {name} as {wanted}"
    return ""
