"""The pipelines' parameters, flat as the console shows them, and the way from a `Deployment` to them and back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.catalogue_check import check_against_catalog
from vertex_vllm.config.consent_check import check_consent
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.config.section import NOT_A_PARAMETER, PipelineParameter
from vertex_vllm.config.validation import validate
from vertex_vllm.errors import InputError
from vertex_vllm.project_names import default_bucket, secret_version_name, serving_account

# A pipeline cannot run without these, in the order of its form. A config may leave the project out: the command line
# or the environment then names it.
_REQUIRED = ("project", "deployment", "model_id")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a pipeline."""

    name: str
    type: type
    """str, int, float, bool or list."""
    default: Any
    """None: there is none, the parameter must be given."""
    description: str


_ENDPOINT = Parameter("endpoint", str, None, "Endpoint to evaluate, projects/P/locations/REGION/endpoints/ID.")
_CHAT = Parameter("chat", bool, True, "Ask by chat completions; false for a model without chat template.")
_RUN_ID = Parameter(
    "run_id", str, "", "Pipeline job whose endpoint and model are deleted; empty: all of the deployment."
)
_DELETE_PREFIX = Parameter(
    "delete_prefix", str, "", "gs:// prefix that is deleted too, weights for example; empty: none."
)
_SWEEP = (
    Parameter("regions", list, [], "Regions to sweep; empty: all regions of the catalogue."),
    Parameter(
        "deployments",
        list,
        [],
        "Deployments that have a config: resources of others are removed, too. Empty: others are left.",
    ),
    Parameter("dry_run", bool, True, "Only list what would be removed."),
)


def _fields(section: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...], FieldInfo]]:
    """Parameter name, path and definition of every field in `section` that is a parameter, in order."""
    for name, info in section.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, (*path, name))
        elif NOT_A_PARAMETER not in info.metadata:
            yield _mark(info).name or name, (*path, name), info


def _mark(info: FieldInfo) -> PipelineParameter:
    return next((mark for mark in info.metadata if isinstance(mark, PipelineParameter)), PipelineParameter())


# Parameter name → path in `Deployment`, and → definition; required ones first.
_FOUND = sorted(_fields(Deployment), key=lambda field: (*_REQUIRED, field[0]).index(field[0]))
_PATHS = {name: path for name, path, _ in _FOUND}
_DEFINITIONS = {name: info for name, _, info in _FOUND}


def _below(*sections: str) -> tuple[str, ...]:
    """Names of the parameters whose dotted path is one of `sections` or begins with one."""
    return tuple(
        name
        for name, path in _PATHS.items()
        if any(path[: len(section)] == section for section in (tuple(text.split(".")) for text in sections))
    )


# Pipeline → its parameters in order: names of parameters that are fields, and those that no deployment has.
_PIPELINES: dict[str, tuple[str | Parameter, ...]] = {
    "deploy": tuple(_PATHS),
    "mirror": (
        *("project", "deployment", "model_id", "region", "bucket", "revision", "hf_token_secret"),
        *("serving_service_account", "trust_remote_code", "allowed_licences", "signing_key", "pickled_weights"),
        "owner",
    ),
    "evaluate": ("project", "deployment", _ENDPOINT, _CHAT, *_below("evaluation")),
    "teardown": ("project", "deployment", "region", "fallbacks", _RUN_ID, _DELETE_PREFIX),
    "sweep": ("project", *_SWEEP),
}
# Step → the parameters that it takes from the deployment.
_STEPS = {
    "plan_serving": _below(
        *("name", "model", "google_cloud.project", "google_cloud.region", "google_cloud.bucket", "hf_token_secret"),
        *("serving", "evaluation.concurrency", "evaluation.load", "licences", "mirror.pickled_weights", "owner", "ttl"),
    ),
    "evaluate_endpoint": _below("evaluation"),
}


def parameters_of(pipeline: str) -> tuple[Parameter, ...]:
    """The pipeline's parameters in the order of its signature, required ones first. KeyError for another name."""
    return tuple(entry if isinstance(entry, Parameter) else _parameter(entry) for entry in _PIPELINES[pipeline])


def parameters_of_step(step: str) -> tuple[Parameter, ...]:
    """Parameters that the step takes from the deployment, in the order of its signature. KeyError for another name."""
    return tuple(map(_parameter, _STEPS[step]))


def field_of(parameter: str) -> tuple[str, ...]:
    """Path in a config of the field that a parameter has its value from; empty: no field."""
    return _PATHS.get(parameter, ())


def parameter_values(pipeline: str, deployment: Deployment, project: str) -> dict[str, Any]:
    """JSON values of all parameters that the deployment determines; the project's defaults are filled in."""
    values = {
        name: _value(deployment, _PATHS[name]) for name in _PIPELINES[pipeline] if not isinstance(name, Parameter)
    }
    region = deployment.google_cloud.region
    spelt_out = {
        "project": project,
        "bucket": deployment.google_cloud.bucket or default_bucket(project, region),
        "hf_token_secret": secret_version_name(deployment.hf_token_secret, project),
        "serving_service_account": serving_account(deployment.google_cloud.serving_service_account, project),
    }
    return values | {name: value for name, value in spelt_out.items() if name in values}


def deployment_from_parameters(**values: Any) -> Deployment:
    """The deployment that a pipeline's parameters describe; missing parameters have their defaults.

    Raises:
        InputError: a parameter is unknown, or its value is not allowed; `where` names the first such parameter.
    """
    unknown = [name for name in values if name not in _PATHS]
    if unknown:
        raise InputError("unknown parameter", where=unknown[0], fix=f"Known: {', '.join(_PATHS)}")
    deployment, faults = validate(_nested(values))
    if deployment is not None:
        faults = [*check_against_catalog(deployment, load_catalog()), *check_consent(deployment)]
    if deployment is None or faults:
        raise _refused([(_flat_name(fault.path), fault.message) for fault in faults])
    return deployment


def check_replaced(deployment: Deployment, project: str, replaced: Mapping[str, Any]) -> None:
    """Checks values that replace some of the deployment's as the config's own are checked.

    Raises InputError that names the parameters. Parameters that no deployment has, as an endpoint, are not checked; nor
    are the deployment's other fields, which a pipeline that deploys nothing does not need.
    """
    known = {name: value for name, value in replaced.items() if name in _PATHS}
    if not known:
        return
    changed, faults = validate(_nested(parameter_values("deploy", deployment, project) | known))
    if changed is not None:
        faults = [*check_against_catalog(changed, load_catalog()), *check_consent(changed)]
    named = [(_flat_name(fault.path), fault.message) for fault in faults]
    if refused := [(name, message) for name, message in named if name in known]:
        raise _refused(refused)


def _refused(faults: Sequence[tuple[str, str]]) -> InputError:
    """`faults`: parameter and what is wrong with it, one at least."""
    (where, message), *others = faults
    return InputError("; ".join([message, *(f"{name}: {fault}" for name, fault in others)]), where=where)


def _parameter(name: str) -> Parameter:
    info = _DEFINITIONS[name]
    default = None if name in _REQUIRED else info.get_default(call_default_factory=True)
    # A Literal is text, list[str] a list.
    kind = get_origin(info.annotation) or info.annotation
    description = _mark(info).description or info.description or ""
    return Parameter(name, kind if isinstance(kind, type) else str, default, description)


def _value(deployment: Deployment, path: tuple[str, ...]) -> Any:
    value: Any = deployment.model_dump(mode="json")
    for part in path:
        value = value[part]
    return value


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        section = nested
        *parents, last = _PATHS[name]
        for part in parents:
            section = section.setdefault(part, {})
        section[last] = value
    return nested


def _flat_name(path: tuple[str | int, ...]) -> str:
    for name, known in _PATHS.items():
        if path[: len(known)] == known:
            return name
    return ".".join(map(str, path))
