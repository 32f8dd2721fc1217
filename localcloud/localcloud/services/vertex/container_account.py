"""The accounts by which a deployed model's container runs and its image is pulled.

"If you do not specify a service account, the container runs as one that does not have access to the resource project"
(`DeployedModel.service_account`): it reads only the objects at `AIP_STORAGE_URI`. Images are pulled by Vertex
AI's service agent, never by the container's own account (Vertex AI, "Use a custom service account", 2026-04-10).
"""

import re
from typing import Any

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import member_of
from localcloud.core.cloud import Cloud
from localcloud.core.permissions.accounts import account_name, service_agent
from localcloud.core.permissions.decisions import has
from localcloud.services.artifact_registry.repositories import REPOSITORIES
from localcloud.services.storage.cloud_access import lend, take_back
from localcloud.services.vertex.resource_names import EndpointName

_ADMINISTER = "iam.serviceAccounts.setIamPolicy"
_PULL = "artifactregistry.repositories.downloadArtifacts"
_IMAGE = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/[^:@]+([:@].+)?"
)


def container_member(endpoint: EndpointName, deployed: Any) -> str:
    """The IAM member whose permissions the container of a raw DeployedModel has."""
    if deployed.service_account:
        return member_of(deployed.service_account)
    return _tenant_member(endpoint, deployed.id)


def lend_artifacts(cloud: Cloud, endpoint: EndpointName, deployed: Any, artifact_uri: str) -> None:
    """Lets a container without an account read the model's artifacts, of which Vertex AI gives it a copy."""
    if artifact_uri and not deployed.service_account:
        lend(cloud, _tenant_member(endpoint, deployed.id), artifact_uri)


def take_artifacts_back(cloud: Cloud, endpoint: EndpointName, deployed_model_id: str) -> None:
    take_back(cloud, _tenant_member(endpoint, deployed_model_id))


def check_pull(cloud: Cloud, project_number: str, image: str) -> None:
    """Raises ApiError FAILED_PRECONDITION when the project's Vertex AI agent may not pull the image.

    An image in a repository that this cloud does not have counts as public: images.yaml describes it.
    """
    found = _IMAGE.fullmatch(image)
    if found is None:
        return
    repository = f"projects/{found['project']}/locations/{found['location']}/repositories/{found['repository']}"
    if cloud.store.get(REPOSITORIES, repository) is None:
        return
    agent = service_agent(cloud, project_number, "aiplatform.googleapis.com")
    if not has(cloud, member_of(agent), _PULL, repository):
        raise ApiError(
            "FAILED_PRECONDITION",
            f'Failed to pull image {image} as {agent}: denied: Permission "{_PULL}" denied on resource "{repository}" '
            "(or it may not exist)",
        )


def check_agent(cloud: Cloud, project_number: str, service_account: str) -> None:
    """Raises ApiError FAILED_PRECONDITION unless the project's Vertex AI agent administers the container's account.

    "You must grant the Service Account Admin role to the Vertex AI Service Agent" for predictions by an account of
    your own (Vertex AI, "Use a custom service account", 2026-04-10). Whether Vertex AI enforces it within a project,
    and by which message, is not known: checked here is a permission of that role that the agent's own role lacks.
    """
    agent = service_agent(cloud, project_number, "aiplatform.googleapis.com")
    if not has(cloud, member_of(agent), _ADMINISTER, account_name(cloud, service_account)):
        raise ApiError(
            "FAILED_PRECONDITION",
            f"The Vertex AI Service Agent {agent} does not have {_ADMINISTER} on service account {service_account} "
            "(or it may not exist). Grant it roles/iam.serviceAccountAdmin there.",
        )


def _tenant_member(endpoint: EndpointName, deployed_model_id: str) -> str:
    """An account of the Google project in which the containers of this project run."""
    name = f"custom-online-prediction-{endpoint.endpoint_id}-{deployed_model_id}"
    return f"serviceAccount:{name}@p{endpoint.location.project_number}-tp.iam.gserviceaccount.com"
