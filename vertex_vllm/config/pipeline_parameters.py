"""The pipelines' parameters, flat as the console shows them, and the way from a `Deployment` to them and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from pydantic import BaseModel

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.catalogue_check import check_against_catalog
from vertex_vllm.config.consent_check import check_consent
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.config.names import default_bucket, secret_version_name, serving_account
from vertex_vllm.config.validation import validate
from vertex_vllm.errors import InputError

# Flat name → path in `Deployment`.
_PATHS: dict[str, tuple[str, ...]] = {
    "project": ("google_cloud", "project"),
    "deployment": ("name",),
    "model_id": ("model", "id"),
    "region": ("google_cloud", "region"),
    "bucket": ("google_cloud", "bucket"),
    "revision": ("model", "revision"),
    "hf_token_secret": ("hf_token_secret",),
    "serving_service_account": ("google_cloud", "serving_service_account"),
    "machine_type": ("serving", "machine_type"),
    "accelerator_type": ("serving", "accelerator_type"),
    "accelerator_count": ("serving", "accelerator_count"),
    "image": ("serving", "image"),
    "max_model_len": ("serving", "max_model_len"),
    "max_num_seqs": ("serving", "max_num_seqs"),
    "gpu_memory_utilization": ("serving", "gpu_memory_utilization"),
    "dtype": ("serving", "dtype"),
    "trust_remote_code": ("serving", "trust_remote_code"),
    "tools": ("serving", "tools"),
    "forbid_advisories": ("serving", "forbid_advisories"),
    "media_domains": ("serving", "media_domains"),
    "extra_args": ("serving", "extra_args"),
    "min_replica_count": ("serving", "min_replica_count"),
    "max_replica_count": ("serving", "max_replica_count"),
    "fallbacks": ("serving", "fallbacks"),
    "spot": ("serving", "spot"),
    "flex_start_hours": ("serving", "flex_start_hours"),
    "dedicated_endpoint": ("serving", "dedicated_endpoint"),
    "request_timeout_seconds": ("serving", "request_timeout_seconds"),
    "deployment_timeout_seconds": ("serving", "deployment_timeout_seconds"),
    "concurrency": ("evaluation", "concurrency"),
    "min_exact_match": ("evaluation", "thresholds", "min_exact_match"),
    "max_p95_time_to_first_token_seconds": ("evaluation", "thresholds", "max_p95_time_to_first_token_seconds"),
    "min_tokens_per_second": ("evaluation", "thresholds", "min_tokens_per_second"),
    "allowed_licences": ("licences", "allow"),
    "signing_key": ("mirror", "signing_key"),
    "pickled_weights": ("mirror", "pickled_weights"),
    "keep_endpoint": ("keep_endpoint",),
    "owner": ("owner",),
    "ttl": ("ttl",),
}
# In a config the project may come from the command line; a pipeline has nobody left to ask.
_REQUIRED = {"project"}
_DESCRIPTIONS = {
    "project": "Project id.",
    "hf_token_secret": (
        "Secret Manager version with the Hub token, projects/P/secrets/S/versions/V; empty: anonymous."
    ),
}
_EVALUATION = ("concurrency", "min_exact_match", "max_p95_time_to_first_token_seconds", "min_tokens_per_second")


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
_RUN_ID = Parameter("run_id", str, "", "Pipeline job whose endpoint and model go; empty: all of the deployment's.")
_DELETE_PREFIX = Parameter(
    "delete_prefix", str, "", "gs:// prefix that is deleted too, weights for example; empty: none."
)
_SWEEP = (
    Parameter("regions", list, [], "Regions to sweep; empty: all that the catalogue knows."),
    Parameter(
        "deployments",
        list,
        [],
        "Names that have a config; what belongs to none of them is removed too. Empty: none is.",
    ),
    Parameter("dry_run", bool, True, "Only tell what would be removed."),
)

# Pipeline → its parameters in order: flat names of deployment fields, and those that no deployment has.
_PIPELINES: dict[str, tuple[str | Parameter, ...]] = {
    "deploy": tuple(_PATHS),
    "mirror": (
        *("project", "deployment", "model_id", "region", "bucket", "revision", "hf_token_secret"),
        *("serving_service_account", "trust_remote_code", "allowed_licences", "signing_key", "pickled_weights"),
        "owner",
    ),
    "evaluate": ("project", "deployment", _ENDPOINT, _CHAT, *_EVALUATION),
    "teardown": ("project", "deployment", "region", "fallbacks", _RUN_ID, _DELETE_PREFIX),
    "sweep": ("project", *_SWEEP),
}


def parameters_of(pipeline: str) -> tuple[Parameter, ...]:
    """The pipeline's parameters in the order of its signature, required ones first. KeyError for another name."""
    return tuple(entry if isinstance(entry, Parameter) else _parameter(entry) for entry in _PIPELINES[pipeline])


def field_of(parameter: str) -> tuple[str, ...]:
    """Path in a config of the field that a parameter has its value from; empty: no field."""
    return _PATHS.get(parameter, ())


def parameter_values(pipeline: str, deployment: Deployment, project: str) -> dict[str, Any]:
    """Values for every parameter that the deployment determines, JSON ones; what is the project's is spelt out."""
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
    """The deployment that a pipeline's parameters stand for; left out ones have their defaults.

    Raises:
        InputError: a parameter is unknown, or its value cannot be; `where` names the first such one.
    """
    unknown = [name for name in values if name not in _PATHS]
    if unknown:
        raise InputError("unknown parameter", where=unknown[0], fix=f"Known: {', '.join(_PATHS)}")
    deployment, faults = validate(_nested(values))
    if deployment is not None:
        faults = [*check_against_catalog(deployment, load_catalog()), *check_consent(deployment)]
    if deployment is None or faults:
        lines = [f"{_flat_name(fault.path)}: {fault.message}" for fault in faults]
        where, _, message = "; ".join(lines).partition(": ")
        raise InputError(message, where=where)
    return deployment


def check_replaced(deployment: Deployment, project: str, replaced: Mapping[str, Any]) -> None:
    """Checks values that replace some of the deployment's as the config's own are checked.

    Raises InputError that names the parameters. An endpoint, and whatever else no deployment has, is not looked at; nor
    is the deployment's own rest, which a pipeline that deploys nothing does not need.
    """
    known = {name: value for name, value in replaced.items() if name in _PATHS}
    if not known:
        return
    changed, faults = validate(_nested(parameter_values("deploy", deployment, project) | known))
    if changed is not None:
        faults = [*check_against_catalog(changed, load_catalog()), *check_consent(changed)]
    named = [(_flat_name(fault.path), fault.message) for fault in faults]
    lines = [f"{name}: {message}" for name, message in named if name in known]
    if lines:
        where, _, message = "; ".join(lines).partition(": ")
        raise InputError(message, where=where)


def _parameter(name: str) -> Parameter:
    path = _PATHS[name]
    section: type[BaseModel] = Deployment
    for part in path[:-1]:
        annotation = section.model_fields[part].annotation
        assert isinstance(annotation, type)
        section = annotation
    info = section.model_fields[path[-1]]
    required = name in _REQUIRED or info.is_required()
    default = None if required else info.get_default(call_default_factory=True)
    # A Literal is text, list[str] a list.
    kind = get_origin(info.annotation) or info.annotation
    return Parameter(
        name, kind if isinstance(kind, type) else str, default, _DESCRIPTIONS.get(name, info.description or "")
    )


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
