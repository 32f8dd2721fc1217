"""The one door to kfp.local's private parts (kfp 2.17.0, pinned): how it runs one task, and two replacements in it."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp import dsl, local
from kfp.dsl import executor
from kfp.local import io, placeholder_utils, status, subprocess_task_handler
from kfp.local.orchestrator import task_executor
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
from kfp.pipeline_spec import pipeline_spec_pb2

from localcloud.pipelines import placeholders

Json = Mapping[str, Any]
RunProcess = Callable[[Sequence[str], Mapping[str, str]], bool]
"""Runs a command with these additional environment variables; True when it succeeded."""

_run_process: ContextVar[RunProcess] = ContextVar("run_process")


class TaskHandler(subprocess_task_handler.SubprocessTaskHandler):  # type: ignore[misc]
    """Runs a component's command as it stands, container components included, which kfp.local refuses.

    Nor does it replace the text "python3" in a component's arguments: `python3` is found on the PATH.
    """

    def validate_image(self, image: str) -> None:
        """Any image: what runs is this Python environment."""

    def validate_not_container_component(self, full_command: list[str]) -> None:
        """A container component is run, too."""

    def validate_not_containerized_python_component(self, full_command: list[str]) -> None:
        """A containerised Python component finds its code in this environment, or fails."""

    def run(self) -> status.Status:
        succeeded = _run_process.get()(self.full_command, self.env_vars)
        return status.Status.SUCCESS if succeeded else status.Status.FAILURE


def install(outputs: Path, workspace: Path) -> None:
    """Prepares kfp.local in this process for `run_task`. `outputs`: where tasks write what they produce."""
    warnings.filterwarnings("ignore", module="kfp.local")
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(outputs),
        workspace_root=str(workspace),
        raise_on_error=False,
    )
    subprocess_task_handler.SubprocessTaskHandler = TaskHandler
    placeholder_utils.resolve_io_placeholders = placeholders.tolerant(placeholder_utils.resolve_io_placeholders)


def task_arguments(task: Json, store: io.IOStore) -> dict[str, Any]:
    """The values of a task's inputs: JSON values for parameters, `dsl.Artifact`s (or lists of them) for artifacts.

    Raises ValueError when a task before it did not produce what this one reads.
    """
    arguments: dict[str, Any] = OrchestratorUtils.make_task_arguments(_task_spec(task).inputs, store)
    return arguments


@contextmanager
def _processes_run_by(run_process: RunProcess) -> Iterator[None]:
    token = _run_process.set(run_process)
    try:
        yield
    finally:
        _run_process.reset(token)


def run_task(
    name: str,
    task: Json,
    component: Json,
    executor_spec: Json,
    *,
    directory: Path,
    arguments: Json,
    run_process: RunProcess,
) -> dict[str, Any] | None:
    """Runs one task that is not a group, retries included; its outputs, or None when it failed.

    `directory`: of this task alone. What `run_process` raises is passed on.
    """
    task_spec = _task_spec(task)
    store = io.IOStore()
    component_name = task_spec.component_ref.name
    component_spec = json_format.ParseDict(component, pipeline_spec_pb2.ComponentSpec(), ignore_unknown_fields=True)
    _bind(task_spec, component_spec, arguments, store)
    # kfp.local names the folder after the component, and leaves making it to components that are Python functions.
    root = directory / component_name.removeprefix("comp-")
    root.mkdir(parents=True, exist_ok=True)
    with _processes_run_by(run_process):
        outputs, outcome = task_executor.execute_single_task(
            task_name=name,
            task_spec=task_spec,
            pipeline_resource_name="",
            components={component_name: component_spec},
            executors={component_spec.executor_label: _executor_spec(executor_spec)},
            io_store=store,
            pipeline_root=str(directory),
            runner=local.SubprocessRunner(use_venv=False),
            unique_pipeline_id="",
            fail_stack=[],
        )
    if outcome != status.Status.SUCCESS:
        return None
    return _with_declared_artifacts(component_spec, outputs, root)


def _bind(
    task_spec: pipeline_spec_pb2.PipelineTaskSpec,
    component_spec: pipeline_spec_pb2.ComponentSpec,
    arguments: Json,
    store: io.IOStore,
) -> None:
    """Lets every input of `task_spec` come from `store`, which gets `arguments`; None means: use the default."""
    inputs, definitions = task_spec.inputs, component_spec.input_definitions
    inputs.Clear()
    for key, value in arguments.items():
        if artifacts_in(value):
            inputs.artifacts[key].component_input_artifact = key
        elif value is not None:
            inputs.parameters[key].component_input_parameter = key
            if key not in definitions.parameters and isinstance(value, int) and not isinstance(value, bool):
                # A part of an f-string: undeclared, it would be put in as 3.0 where it is 3.
                definitions.parameters[key].parameter_type = pipeline_spec_pb2.ParameterType.NUMBER_INTEGER
        store.put_parent_input(key, value)


def _with_declared_artifacts(
    component: pipeline_spec_pb2.ComponentSpec, outputs: dict[str, Any], root: Path
) -> dict[str, Any]:
    """`outputs`, every declared artifact among them and of its declared type.

    A container component may write an artifact to its path and no executor output; and kfp.local knows only the types
    of which it has a class.
    """
    found = dict(outputs)
    for name, definition in component.output_definitions.artifacts.items():
        artifact_type = json_format.MessageToDict(definition.artifact_type)
        if name not in found:
            fields = {"name": name, "uri": str(root / name), "metadata": {}, "type": artifact_type}
            found[name] = executor.create_artifact_instance(fields)
        for artifact in artifacts_in(found[name]):
            artifact.schema_title = definition.artifact_type.schema_title
    return found


def artifacts_in(value: Any) -> list[dsl.Artifact]:
    """The artifacts of an input or output; none when it is a parameter."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dsl.Artifact)]


def _task_spec(task: Json) -> pipeline_spec_pb2.PipelineTaskSpec:
    return json_format.ParseDict(task, pipeline_spec_pb2.PipelineTaskSpec(), ignore_unknown_fields=True)


def _executor_spec(executor_spec: Json) -> pipeline_spec_pb2.PipelineDeploymentConfig.ExecutorSpec:
    return json_format.ParseDict(
        executor_spec, pipeline_spec_pb2.PipelineDeploymentConfig.ExecutorSpec(), ignore_unknown_fields=True
    )
