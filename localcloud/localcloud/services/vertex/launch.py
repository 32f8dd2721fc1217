"""What is started for a deployed model: program, variables, port and routes, decided before anything runs."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.cloud.aiplatform_v1beta1.types import AcceleratorType

from localcloud.containers.programs import Image
from localcloud.services.vertex.container_spec import expand, expand_environment, health_route, predict_route
from localcloud.services.vertex.resource_names import EndpointName

# Of the daemon's own variables, those that any program needs to run; credentials that a shell may hold stay outside.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Launch:
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    port: int
    health_route: str
    predict_route: str
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def plan_launch(
    *,
    endpoint: EndpointName,
    deployed: Any,
    version: Any,
    image: Image,
    port: int,
    ready_file: Path,
    log: Path,
    cloud_environment: Mapping[str, str],
) -> Launch:
    """`deployed`: the raw DeployedModel, `version`: the raw Model that it deploys."""
    spec = version.container_spec
    aip = _aip_variables(endpoint, deployed, version, port)
    own = expand_environment([(variable.name, variable.value) for variable in spec.env], aip)
    placeholders = {
        "python": sys.executable,
        "image": spec.image_uri,
        "port": str(port),
        "ready_file": str(ready_file),
    }
    words = [expand(word, {**aip, **own}) for word in (*spec.command, *spec.args)]
    return Launch(
        argv=(*(_fill(word, placeholders) for word in image.command), *words),
        environment={**_inherited(image), **cloud_environment, **aip, **own},
        port=port,
        health_route=health_route(spec, endpoint.endpoint_id, deployed.id),
        predict_route=predict_route(spec, endpoint.endpoint_id, deployed.id),
        log=log,
    )


def _aip_variables(endpoint: EndpointName, deployed: Any, version: Any, port: int) -> dict[str, str]:
    """Vertex AI docs, "Custom container requirements for inference", section "AIP variables"."""
    machine = deployed.dedicated_resources.machine_spec
    variables = {
        "AIP_DEPLOYED_MODEL_ID": deployed.id,
        "AIP_ENDPOINT_ID": endpoint.endpoint_id,
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_HEALTH_ROUTE": health_route(version.container_spec, endpoint.endpoint_id, deployed.id),
        "AIP_HTTP_PORT": str(port),
        "AIP_MACHINE_TYPE": machine.machine_type,
        "AIP_MODE": "PREDICTION",
        "AIP_MODE_VERSION": "1.0.0",
        "AIP_MODEL_NAME": deployed.model.rpartition("/")[2],
        "AIP_PREDICT_ROUTE": predict_route(version.container_spec, endpoint.endpoint_id, deployed.id),
        "AIP_PROJECT_NUMBER": endpoint.location.project_number,
        "AIP_STORAGE_URI": version.artifact_uri,
        "AIP_VERSION_NAME": deployed.model_version_id,
    }
    if machine.accelerator_type:
        variables["AIP_ACCELERATOR_TYPE"] = AcceleratorType(machine.accelerator_type).name
    return variables


def _inherited(image: Image) -> dict[str, str]:
    return {name: os.environ[name] for name in (*_INHERITED, *image.variables) if name in os.environ}


def _fill(word: str, placeholders: Mapping[str, str]) -> str:
    for name, value in placeholders.items():
        word = word.replace(f"{{{name}}}", value)
    return word
