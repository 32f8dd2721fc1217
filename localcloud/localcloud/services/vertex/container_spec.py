"""`ModelContainerSpec`: Vertex AI's checks and defaults."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.services.vertex.validation import Violations

_LONGEST_DEPLOYMENT_SECONDS = 7200  # `ModelContainerSpec.deployment_timeout`
# Vertex AI's default is not published; half an hour is assumed. Model Garden's containers set 7200 s.
_DEFAULT_DEPLOYMENT_SECONDS = 1800.0
_VARIABLE_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")


def check_container_spec(spec: Any, violations: Violations) -> None:
    """Adds violations of a raw `ModelContainerSpec`."""
    field = "model.container_spec"
    violations.require(f"{field}.image_uri", spec.image_uri)
    for name in ("predict_route", "health_route"):
        route = getattr(spec, name)
        if route and not route.startswith("/"):
            violations.add(f"{field}.{name}", f"`{route}` does not begin with `/`.")
    if spec.invoke_route_prefix not in ("", "/*"):
        violations.add(f"{field}.invoke_route_prefix", "`/*` is the only supported value.")
    if spec.invoke_route_prefix and spec.predict_route:
        violations.add(f"{field}.invoke_route_prefix", "Only one of predict_route and invoke_route_prefix can be set.")
    for port in (*spec.ports, *spec.grpc_ports):
        if not 1 <= port.container_port <= 65535:
            violations.add(f"{field}.ports", f"{port.container_port} is not between 1 and 65535.")
    for variable in spec.env:
        if not _VARIABLE_NAME.fullmatch(variable.name):
            violations.add(f"{field}.env", f"`{variable.name}` is not a name of an environment variable.")
    if not 0 <= spec.deployment_timeout.ToSeconds() <= _LONGEST_DEPLOYMENT_SECONDS:
        violations.add(f"{field}.deployment_timeout", "Limit for deployment timeout is 2 hours.")
    if spec.shared_memory_size_mb < 0:
        violations.add(f"{field}.shared_memory_size_mb", "Must not be negative.")


def deployment_seconds(spec: Any) -> float:
    """Seconds within which the container must become healthy."""
    return float(spec.deployment_timeout.ToSeconds()) or _DEFAULT_DEPLOYMENT_SECONDS


def predict_route(spec: Any, endpoint_id: str, deployed_model_id: str) -> str:
    return str(spec.predict_route) or f"/v1/endpoints/{endpoint_id}/deployedModels/{deployed_model_id}:predict"


def health_route(spec: Any, endpoint_id: str, deployed_model_id: str) -> str:
    return str(spec.health_route) or f"/v1/endpoints/{endpoint_id}/deployedModels/{deployed_model_id}"


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replaces `$(NAME)` by its value, if it has one, and `$$` by `$`, as Kubernetes does."""

    def replace(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return variables.get(match.group(1), match.group())

    return _REFERENCE.sub(replace, text)


def expand_environment(variables: Sequence[tuple[str, str]], given: Mapping[str, str]) -> dict[str, str]:
    """The container's own variables. A value may refer to earlier variables and to `given`."""
    expanded: dict[str, str] = {}
    for name, value in variables:
        expanded[name] = expand(value, {**given, **expanded})
    return expanded
