"""The plan of a deployed model's process: program, variables, port and routes."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.cloud.aiplatform_v1beta1.types import AcceleratorType

from localcloud.containers.launch import Launch, filled, inherited
from localcloud.containers.programs import Image
from localcloud.services.vertex.container_spec import expand, expand_environment, health_route, predict_route
from localcloud.services.vertex.resource_names import EndpointName


def plan_launch(
    *,
    endpoint: EndpointName,
    deployed: Any,
    version: Any,
    image: Image,
    image_uri: str,
    port: int,
    ready_file: Path,
    log: Path,
    cloud_environment: Mapping[str, str],
) -> Launch:
    """`deployed`: the raw DeployedModel, `version`: the raw Model that it deploys; `image_uri` by tag, where known."""
    spec = version.container_spec
    aip = _aip_variables(endpoint, deployed, version, port)
    own = expand_environment([(variable.name, variable.value) for variable in spec.env], aip)
    placeholders = {
        "python": sys.executable,
        "image": image_uri,
        "port": str(port),
        "ready_file": str(ready_file),
    }
    words = [expand(word, {**aip, **own}) for word in (*spec.command, *spec.args)]
    return Launch(
        argv=(*(filled(word, placeholders) for word in image.command), *words),
        environment={**inherited(image), **cloud_environment, **aip, **own},
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
