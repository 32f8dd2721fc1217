"""Runs a pipeline's tasks in order, decides which are skipped, and derives the state of the pipeline."""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from localcloud.services.pipelines import conditions
from localcloud.services.pipelines.job import TaskEnded, TaskPath, TaskStarted
from localcloud.services.pipelines.pipeline_spec import TaskKind, in_order, is_loop, kind_of
from localcloud.services.pipelines.task_arguments import selected, task_arguments
from localcloud.services.pipelines.task_process import TaskCancelledError
from localcloud.services.pipelines.values import described, integral, typed

# Iterations of one loop that run at the same time.
_LOOP_WORKERS = 2
_RUN_AFTER_FAILURE = "ALL_UPSTREAM_TASKS_COMPLETED"
# google.rpc.Code of a task that failed, as Vertex AI reports it.
FAILED_PRECONDITION = 9

Json = Mapping[str, Any]
Causes = tuple[tuple[str, str], ...]
"""(task name, error message) of each failed task; groups are not listed."""
State = Literal["SUCCEEDED", "FAILED", "CANCELLED", "NOT_TRIGGERED"]


class TaskFailedError(Exception):
    """A task, or a group of tasks, failed; the message says why. `causes`: the tasks that made a group fail."""

    def __init__(self, message: str, causes: Causes = ()) -> None:
        super().__init__(message)
        self.causes = causes


@dataclass(frozen=True)
class Task:
    """A task to run: its path, its entry in the spec, and whether it is an exit task, which a cancellation spares."""

    path: TaskPath
    spec: Json
    component: Json
    kind: TaskKind
    is_exit: bool

    @property
    def name(self) -> str:
        return self.path[-1]


@dataclass(frozen=True)
class Outcome:
    state: State
    error: str = ""
    causes: Causes = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    stopped: bool = False
    """True for a task that a failure or a cancellation, rather than its own condition, kept from running."""


class Leaves(Protocol):
    """Runs a task that is not a group."""

    def run(self, task: Task, arguments: Json) -> Mapping[str, Any]:
        """Returns the outputs, as later tasks read them. Raises TaskFailedError, TaskCancelledError."""


class Dag:
    """One run of one pipeline. Tasks run one after the other, in an order that depends on the spec alone."""

    def __init__(
        self,
        spec: Json,
        leaves: Leaves,
        report: Callable[[TaskStarted | TaskEnded], None],
        *,
        job_name: str,
        fail_fast: bool,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._spec = spec
        self._leaves = leaves
        self._report = report
        self._job_name = job_name
        self._fail_fast = fail_fast
        self._is_cancelled = is_cancelled
        self._failed = False

    def run(self, parameters: Json) -> Outcome:
        """Runs the pipeline to its end."""
        root = Task((), {}, self._spec["root"], TaskKind.PIPELINE, is_exit=False)
        arguments = _with_defaults(root.component, parameters)
        return self._settle(root, arguments, lambda: self._run_group(root, arguments))

    def _run_group(self, group: Task, arguments: Json) -> Json:
        given = _with_defaults(group.component, arguments)
        tasks: Json = group.component["dag"]["tasks"]
        outcomes: dict[str, Outcome] = {}
        for name in in_order(tasks):
            outcomes[name] = self._run_or_skip(self._task(group, name, tasks[name]), given, outcomes)
        self._raise_unless_complete(outcomes, group.is_exit)
        return _group_outputs(group.component, outcomes)

    def _run_loop(self, loop: Task, arguments: Json) -> Json:
        item_input, items = _loop_items(loop.spec, arguments)
        iterations = [
            (replace(loop, path=(*loop.path, f"{loop.name}-iteration-{index}")), {**arguments, item_input: item})
            for index, item in enumerate(items)
        ]
        with ThreadPoolExecutor(_LOOP_WORKERS) as workers:
            outcomes = list(workers.map(lambda iteration: self._run_iteration(*iteration), iterations))
        self._raise_unless_complete(
            {task.name: outcome for (task, _), outcome in zip(iterations, outcomes, strict=True)}, loop.is_exit
        )
        # An iteration whose task was not triggered adds nothing.
        return {
            key: [outcome.outputs[key] for outcome in outcomes if key in outcome.outputs]
            for key in _output_names(loop.component)
        }

    def _run_iteration(self, iteration: Task, arguments: Json) -> Outcome:
        if self._is_ended(iteration):
            return self._skip(iteration)
        return self._settle(iteration, arguments, lambda: self._run_body(iteration, arguments))

    def _run_body(self, task: Task, arguments: Json) -> Json:
        if task.kind == TaskKind.GROUP:
            return self._run_group(task, arguments)
        return self._leaves.run(task, arguments)

    def _task(self, group: Task, name: str, spec: Json) -> Task:
        component = self._spec["components"][spec["componentRef"]["name"]]
        is_exit = group.is_exit or _is_exit(spec)
        return Task((*group.path, name), spec, component, kind_of(self._spec, component), is_exit)

    def _is_ended(self, task: Task) -> bool:
        """Whether a cancellation, or a failure under FAIL_FAST, keeps this task from being started."""
        return not task.is_exit and (self._is_cancelled() or (self._fail_fast and self._failed))

    def _run_or_skip(self, task: Task, given: Json, outcomes: Mapping[str, Outcome]) -> Outcome:
        upstream = [outcomes[name] for name in task.spec.get("dependentTasks", [])]
        broken = any(outcome.state in ("FAILED", "CANCELLED") or outcome.stopped for outcome in upstream)
        if self._is_ended(task) or (broken and not _runs_after_failure(task.spec)):
            return self._skip(task)
        try:
            arguments = self._arguments(task, given, outcomes)
            condition = task.spec.get("triggerPolicy", {}).get("condition")
            if condition and not conditions.holds(condition, arguments):
                return self._end(task, Outcome("NOT_TRIGGERED"))
        except (ValueError, TypeError) as error:
            return self._fail(task, f"Its inputs cannot be made: {error}")
        run = self._run_loop if is_loop(task.spec) else self._run_body
        return self._settle(task, arguments, lambda: run(task, arguments))

    def _arguments(self, task: Task, given: Json, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        produced = {name: outcome.outputs for name, outcome in outcomes.items()}
        arguments = task_arguments(task.spec, task.component, given, produced)
        for name, source in task.spec.get("inputs", {}).get("parameters", {}).items():
            if "taskFinalStatus" in source:
                producer = source["taskFinalStatus"]["producerTask"]
                arguments[name] = self._final_status(producer, outcomes[producer])
        return arguments

    def _final_status(self, producer: str, outcome: Outcome) -> dict[str, Any]:
        """The value of a `dsl.PipelineTaskFinalStatus` parameter."""
        error = {"code": FAILED_PRECONDITION, "message": outcome.error} if outcome.error else {}
        return {
            # Three states are documented: tasks of a handler that were not even started count as cancelled.
            "state": "CANCELLED" if outcome.state == "NOT_TRIGGERED" else outcome.state,
            "pipelineJobResourceName": self._job_name,
            "pipelineTaskName": producer,
            "error": error,
        }

    def _settle(self, task: Task, arguments: Json, execute: Callable[[], Json]) -> Outcome:
        """Runs `execute` and turns its result or error into the task's outcome, so that the exit handler runs."""
        self._report(TaskStarted(path=task.path, kind=task.kind, inputs=described(arguments)))
        try:
            outputs = execute()
        except TaskCancelledError:
            return self._end(
                task, Outcome("CANCELLED", f"The {'task' if task.path else 'pipeline job'} was cancelled.")
            )
        except TaskFailedError as error:
            return self._end(task, Outcome("FAILED", str(error), error.causes or ((task.name, str(error)),)))
        except Exception as error:
            return self._fail(task, f"{type(error).__name__}: {error}")
        return self._end(task, Outcome("SUCCEEDED", outputs=outputs))

    def _skip(self, task: Task) -> Outcome:
        return self._end(task, Outcome("NOT_TRIGGERED", stopped=True))

    def _fail(self, task: Task, error: str) -> Outcome:
        return self._end(task, Outcome("FAILED", error, ((task.name, error),)))

    def _end(self, task: Task, outcome: Outcome) -> Outcome:
        self._failed = self._failed or outcome.state == "FAILED"
        outputs = described(outcome.outputs)
        self._report(TaskEnded(path=task.path, state=outcome.state, error=outcome.error, outputs=outputs))
        return outcome

    def _raise_unless_complete(self, outcomes: Mapping[str, Outcome], is_exit: bool) -> None:
        if self._is_cancelled() and not is_exit:
            raise TaskCancelledError
        failures = [outcome for outcome in outcomes.values() if outcome.state == "FAILED"]
        if failures:
            causes = tuple(cause for outcome in failures for cause in outcome.causes)
            names = ", ".join(name for name, _ in causes)
            reasons = " ".join(f"{name}: {error}" for name, error in causes)
            raise TaskFailedError(
                f"The DAG failed because some tasks failed. The failed tasks are: [{names}]. {reasons}", causes
            )
        if any(outcome.stopped for outcome in outcomes.values()):
            raise TaskFailedError("The DAG was ended by a failure elsewhere, before all its tasks were started.")


def _runs_after_failure(spec: Json) -> bool:
    return bool(spec.get("triggerPolicy", {}).get("strategy") == _RUN_AFTER_FAILURE)


def _is_exit(spec: Json) -> bool:
    """Whether a task is a `dsl.ExitHandler`'s exit task: only these marks differ from `.ignore_upstream_failure()`."""
    reads_status = any("taskFinalStatus" in source for source in spec.get("inputs", {}).get("parameters", {}).values())
    follows_handler = any(name.startswith("exit-handler-") for name in spec.get("dependentTasks", []))
    return _runs_after_failure(spec) and (reads_status or follows_handler)


def _with_defaults(component: Json, arguments: Json) -> dict[str, Any]:
    """The inputs of a group: the given value, else the default, else None (an optional input without a default)."""
    inputs: Json = component.get("inputDefinitions", {})
    definitions: Json = inputs.get("parameters", {})
    defaults = {name: definition.get("defaultValue") for name, definition in definitions.items()}
    given = {name: value for name, value in arguments.items() if value is not None}
    values = {**dict.fromkeys(inputs.get("artifacts", {})), **defaults, **given}
    return {name: typed(value, definitions.get(name, {})) for name, value in values.items()}


def _loop_items(spec: Json, arguments: Json) -> tuple[str, list[Any]]:
    iterator = spec.get("parameterIterator") or spec["artifactIterator"]
    source = iterator["items"]
    if "raw" in source:
        return iterator["itemInput"], integral(json.loads(source["raw"]))
    items = arguments[source.get("inputParameter") or source["inputArtifact"]]
    return iterator["itemInput"], json.loads(items) if isinstance(items, str) else items


def _output_names(component: Json) -> list[str]:
    definitions: Json = component.get("outputDefinitions", {})
    return [*definitions.get("parameters", {}), *definitions.get("artifacts", {})]


def _group_outputs(component: Json, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """The outputs of a group, without those of tasks that were not triggered."""
    outputs: Json = component["dag"].get("outputs", {})
    sources = {key: _parameter_sources(source) for key, source in outputs.get("parameters", {}).items()}
    sources |= {key: _artifact_sources(source) for key, source in outputs.get("artifacts", {}).items()}
    found = {key: _first_produced(candidates, outcomes) for key, candidates in sources.items()}
    return {key: value for key, value in found.items() if value is not None}


def _parameter_sources(source: Json) -> list[tuple[str, str, str]]:
    """(task, output, selector) of each task that may have produced the output; the selector "" means all of it."""
    selectors = (
        source["valueFromOneof"]["parameterSelectors"] if "valueFromOneof" in source else [source["valueFromParameter"]]
    )
    return [
        (each["producerSubtask"], each["outputParameterKey"], each.get("parameterExpressionSelector", ""))
        for each in selectors
    ]


def _artifact_sources(source: Json) -> list[tuple[str, str, str]]:
    return [(each["producerSubtask"], each["outputArtifactKey"], "") for each in source["artifactSelectors"]]


def _first_produced(candidates: Iterable[tuple[str, str, str]], outcomes: Mapping[str, Outcome]) -> Any:
    """The value of the first candidate that has one: with `dsl.OneOf`, the task of the branch that was taken."""
    for task, output, selector in candidates:
        outcome = outcomes[task]
        if output in outcome.outputs:
            return selected(outcome.outputs[output], selector)
    return None
