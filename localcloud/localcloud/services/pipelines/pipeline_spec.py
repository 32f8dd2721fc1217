"""Checks of a submitted pipeline spec and its parameters, and the tasks that the spec will run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Any

from localcloud.core.api_errors import ApiError

# Written by the KFP v2 compiler. Version 2.0.0, of KFP 1.8, has its parameters in another form.
_SCHEMA_VERSION = "2.1.0"
_EXECUTOR_KINDS = ("container", "importer")

# `parameterType` of the spec → the Python types of a JSON value that fits it.
_PARAMETER_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}

Json = Mapping[str, Any]


class TaskKind(StrEnum):
    """The kind of a task; the value is its ML Metadata execution type."""

    PIPELINE = "system.Run"
    GROUP = "system.DagExecution"
    CONTAINER = "system.ContainerExecution"
    IMPORTER = "system.ImporterExecution"


@dataclass(frozen=True)
class PlannedTask:
    """A task of the spec. `path`: the names of the groups around it, then its own; `()` is the pipeline itself."""

    path: tuple[str, ...]
    kind: TaskKind


def check_spec(spec: Json) -> None:
    """Raises ApiError INVALID_ARGUMENT when `spec` is not one complete pipeline spec of the KFP v2 compiler."""
    if not spec:
        raise _refusal("pipelineSpec is required: the compiled pipeline, as one document.")
    if spec.get("schemaVersion") != _SCHEMA_VERSION:
        raise _refusal(
            f"pipelineSpec.schemaVersion is {spec.get('schemaVersion')!r}; it has to be {_SCHEMA_VERSION!r}. "
            "Compile the pipeline with kfp 2."
        )
    if not _at(spec, "pipelineInfo", "name"):
        raise _refusal("pipelineSpec.pipelineInfo.name is required.")
    if not _at(spec, "root", "dag", "tasks"):
        raise _refusal("pipelineSpec.root.dag.tasks is required: a pipeline has at least one task.")


def check_components(spec: Json) -> None:
    """Raises ApiError INVALID_ARGUMENT for a component without a supported executor, or a task without a component."""
    for name, component in (("root", spec["root"]), *_at(spec, "components").items()):
        _check_component(name, component, spec)


def check_platforms(platform_spec: Json) -> None:
    """Raises ApiError UNIMPLEMENTED naming each option of a platform: secrets, volumes, workspaces, tolerations.

    `platform_spec` is the second document of the compiler. Ignored options would change the steps' behaviour.
    """
    named = []
    for platform, options in _at(platform_spec, "platforms").items():
        named += [f"{platform}.pipelineConfig.{field}" for field in _at(options, "pipelineConfig")]
        for executor, fields in _at(options, "deploymentSpec", "executors").items():
            named += [f"{platform}.{executor}.{field}" for field in fields]
    if named:
        raise ApiError(
            "UNIMPLEMENTED",
            f"The local Kubeflow Pipelines does not implement platform options: {', '.join(sorted(named))}.",
        )


def check_parameters(spec: Json, given: Json) -> None:
    """Raises ApiError INVALID_ARGUMENT naming every parameter that is unknown, of a wrong type, or missing."""
    known = _at(spec, "root", "inputDefinitions", "parameters")
    problems = [f"{name} is not a parameter of the pipeline" for name in sorted(given.keys() - known.keys())]
    problems += [
        f"{name} has to be of type {definition.get('parameterType')}, but is {given[name]!r}"
        for name, definition in known.items()
        if name in given and not _fits(given[name], str(definition.get("parameterType")))
    ]
    problems += [f"{name} is required" for name in known if name not in given and not _is_optional(known[name])]
    if problems:
        raise _refusal(f"runtimeConfig.parameterValues: {'; '.join(problems)}. Known: {', '.join(known) or 'none'}.")
    artifacts = _at(spec, "root", "inputDefinitions", "artifacts")
    if required := [name for name, definition in artifacts.items() if not _is_optional(definition)]:
        raise _refusal(f"The pipeline takes artifacts ({', '.join(required)}); a job here reads none of a store.")


def planned_tasks(spec: Json) -> Iterator[PlannedTask]:
    """The pipeline and its tasks that are known before it runs: all except those inside loops.

    The order is that of the run, a group before its tasks. Raises ApiError INVALID_ARGUMENT for a group that contains
    itself.
    """
    yield PlannedTask((), TaskKind.PIPELINE)
    yield from _tasks_of(spec, spec["root"], (), ())


def _tasks_of(spec: Json, component: Json, path: tuple[str, ...], inside_of: tuple[str, ...]) -> Iterator[PlannedTask]:
    tasks = component["dag"]["tasks"]
    for name in in_order(tasks):
        task = tasks[name]
        component_name = task["componentRef"]["name"]
        child = spec["components"][component_name]
        yield PlannedTask((*path, name), kind_of(spec, child))
        if component_name in inside_of:
            raise _refusal(f"pipelineSpec.components.{component_name} contains itself.")
        if "dag" in child and not is_loop(task):
            yield from _tasks_of(spec, child, (*path, name), (*inside_of, component_name))


def kind_of(spec: Json, component: Json) -> TaskKind:
    if "dag" in component:
        return TaskKind.GROUP
    executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
    return TaskKind.IMPORTER if "importer" in executor else TaskKind.CONTAINER


def is_loop(task: Json) -> bool:
    return "parameterIterator" in task or "artifactIterator" in task


def in_order(tasks: Json) -> list[str]:
    """The names of tasks, each after those that it depends on; otherwise by name, as the compiler orders them.

    Raises ApiError INVALID_ARGUMENT when tasks depend on each other.
    """
    upstream = {name: sorted(tasks[name].get("dependentTasks", [])) for name in sorted(tasks)}
    try:
        return list(TopologicalSorter(upstream).static_order())
    except CycleError as error:
        raise _refusal(f"pipelineSpec has tasks that depend on each other: {', '.join(error.args[1])}.") from error


def _check_component(name: str, component: Json, spec: Json) -> None:
    where = "pipelineSpec.root" if name == "root" else f"pipelineSpec.components.{name}"
    if "dag" not in component:
        executor = _at(spec, "deploymentSpec", "executors", str(component.get("executorLabel")))
        if not any(kind in executor for kind in _EXECUTOR_KINDS):
            raise _refusal(f"{where} has neither a dag nor an executor that is a container or an importer.")
        return
    tasks = _at(component, "dag", "tasks")
    for task_name, task in tasks.items():
        reference = task.get("componentRef", {}).get("name")
        # Some versions of Kubeflow retry a group (kubeflow/pipelines#11288, #11908); Vertex AI's pages do not.
        if task.get("retryPolicy") and "dag" in spec.get("components", {}).get(reference, {}):
            raise ApiError(
                "UNIMPLEMENTED",
                f"{where}.dag.tasks.{task_name}.retryPolicy: the local cloud does not start a pipeline within a "
                "pipeline again. Set the retry on the tasks inside.",
            )
        if reference not in spec.get("components", {}):
            raise _refusal(f"{where}.dag.tasks.{task_name} is of the component {reference!r}, which is not there.")
        for dependency in task.get("dependentTasks", []):
            if dependency not in tasks:
                raise _refusal(f"{where}.dag.tasks.{task_name} depends on {dependency!r}, which is not there.")


def _is_optional(definition: Json) -> bool:
    return "defaultValue" in definition or bool(definition.get("isOptional"))


def _fits(value: Any, parameter_type: str) -> bool:
    if isinstance(value, bool):
        return parameter_type == "BOOLEAN"
    if parameter_type == "NUMBER_INTEGER" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _PARAMETER_TYPES.get(parameter_type, ()))


def _at(message: Json, *path: str) -> Any:
    """The value at `path`; an empty mapping if a part of the path is missing."""
    found: Any = message
    for key in path:
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found


def _refusal(message: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", message)
