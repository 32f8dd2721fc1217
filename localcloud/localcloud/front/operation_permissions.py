"""The permission of a call about a long-running operation: that of its resource, or of its service.

"Operations of a resource are read with the permission to get the resource." No page names a permission for cancelling
or deleting one: here it is that of updating the resource, the stricter of the possible ones.
"""

from typing import Any

from localcloud.core.cloud import Cloud
from localcloud.core.permissions import decisions
from localcloud.services.operations.polling import find_operation

_READING = ("GetOperation", "ListOperations", "WaitOperation")

# By the collection of the resource that has the operation: to read, to change.
_OF_RESOURCES = {
    "endpoints": ("aiplatform.endpoints.get", "aiplatform.endpoints.update"),
    "metadataStores": ("aiplatform.metadataStores.get", "aiplatform.metadataStores.delete"),
    "models": ("aiplatform.models.get", "aiplatform.models.update"),
    "pipelineJobs": ("aiplatform.pipelineJobs.get", "aiplatform.pipelineJobs.cancel"),
    "schedules": ("aiplatform.schedules.get", "aiplatform.schedules.update"),
}
# By the API of the operation's metadata, where the operation is one of a location or a project.
_OF_SERVICES = {
    "google.devtools.cloudbuild": ("cloudbuild.operations.get", "cloudbuild.builds.update"),
    "google.devtools.artifactregistry": ("artifactregistry.repositories.get", "artifactregistry.repositories.update"),
    "google.api.serviceusage": ("serviceusage.operations.get", "serviceusage.services.enable"),
}
_OF_LOCATIONS = ("aiplatform.operations.list", "aiplatform.pipelineJobs.cancel")

# Names of Service Usage's and Resource Manager's operations contain no project; only the caller who started one knows
# it.
_OF_NO_RESOURCE = "operations/"


def ask(cloud: Cloud, method: str, name: str) -> None:
    """`name`: of the operation, or of the parent whose operations are listed. Raises ApiError PERMISSION_DENIED."""
    if name.startswith(_OF_NO_RESOURCE):
        return
    resource, _, operation_id = name.partition("/operations/")
    operation = find_operation(cloud, name) if operation_id else None
    if operation is not None:
        resource = _as_asked(operation.name.partition("/operations/")[0], name)
    reading, changing = _permissions(resource, operation)
    decisions.check(cloud, reading if method in _READING else changing, resource)


def _permissions(resource: str, operation: Any) -> tuple[str, str]:
    parts = resource.split("/")
    if len(parts) > 5 and parts[4] in _OF_RESOURCES:
        return _OF_RESOURCES[parts[4]]
    made_by = operation.metadata.type_url.rpartition("/")[2] if operation is not None else ""
    for service, asked in _OF_SERVICES.items():
        if made_by.startswith(service):
            return asked
    return _OF_LOCATIONS


def _as_asked(resource: str, name: str) -> str:
    """The resource with the project as the caller wrote it, because a refusal repeats the caller's words."""
    return "/".join([*name.split("/")[:2], *resource.split("/")[2:]])
