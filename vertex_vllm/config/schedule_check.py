"""Checks the parameters that a schedule replaces against the pipeline that it runs."""

from collections.abc import Iterator
from datetime import UTC, datetime

from vertex_vllm.config.catalogue_check import Fault
from vertex_vllm.config.cron import first_time
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.config.pipeline_parameters import deployment_from_parameters, parameter_values, parameters_of
from vertex_vllm.config.schedule import Schedule
from vertex_vllm.errors import InputError

# Parameters that identify the deployment and its place, which a schedule may not replace.
_IDENTITY = ("project", "deployment", "region")
# Stands for a project that only the command line will name.
_ANY_PROJECT = "any-project"


def check_schedules(deployment: Deployment) -> tuple[Fault, ...]:
    """All faults: a parameter that the pipeline lacks, that may not differ, of a wrong type or value, or missing; an
    end that is past, or comes before the first run.
    """
    ends = tuple(
        Fault(("schedules", index, "end"), fault)
        for index, schedule in enumerate(deployment.schedules)
        if (fault := _end_fault(schedule))
    )
    return ends + tuple(
        Fault(("schedules", index, "parameters", *path), message)
        for index, schedule in enumerate(deployment.schedules)
        for path, message in _faults(deployment, schedule)
    )


def _end_fault(schedule: Schedule) -> str:
    if not schedule.end:
        return ""
    end, begin = datetime.fromisoformat(schedule.end), datetime.now(UTC)
    if end <= begin:
        return "is past, so that nothing would run. Name a later one, or take the schedule out"
    if schedule.start:
        begin = max(begin, datetime.fromisoformat(schedule.start))
    first = first_time(schedule.cron, schedule.time_zone, begin)
    if first is not None and first < end:
        return ""
    return "comes before the first time of the cron, so that nothing would run. Name a later one"


def _faults(deployment: Deployment, schedule: Schedule) -> Iterator[tuple[tuple[str, ...], str]]:
    known = {parameter.name: parameter for parameter in parameters_of(schedule.pipeline)}
    given = parameter_values(schedule.pipeline, deployment, _ANY_PROJECT)
    for name, parameter in known.items():
        if parameter.default is None and name not in given and name not in schedule.parameters:
            yield (), f"{schedule.pipeline} needs {name}. {parameter.description}"
    fitting = {}
    for name, value in schedule.parameters.items():
        if name not in known:
            yield (name,), f"{schedule.pipeline} has no such parameter. Known: {', '.join(known)}"
        elif name in _IDENTITY:
            yield (name,), "must be the deployment's. Put the schedule into the file of the other deployment"
        elif not _fits(value, known[name].type):
            yield (name,), f"must be of type {known[name].type.__name__}"
        else:
            fitting[name] = value
    if fitting:
        yield from _value_faults(deployment, fitting)


def _fits(value: object, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _value_faults(deployment: Deployment, replaced: dict[str, object]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Faults of values that no deployment may have."""
    of_deployment = parameter_values("deploy", deployment, deployment.google_cloud.project or _ANY_PROJECT)
    replacing = {name: value for name, value in replaced.items() if name in of_deployment}
    try:
        deployment_from_parameters(**(of_deployment | replacing))
    except InputError as error:
        yield (error.where,) if error.where in replaced else (), error.message
