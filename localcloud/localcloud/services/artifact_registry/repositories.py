"""Artifact Registry: repositories and their policies. Their contents: `packages`."""

import re
from typing import Any

from google.cloud.artifactregistry_v1.types import ListRepositoriesResponse, OperationMetadata, Repository
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.registration import Service
from localcloud.core.store import Kind
from localcloud.services.artifact_registry.packages import forget_repository, named
from localcloud.services.iam.iam_policies import forget_policies, get_policy, set_policy

REPOSITORIES = Kind("artifact repository", Repository.pb())

_REPOSITORY_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")

# Output-only fields: the values in a request are ignored.
_OUTPUT_ONLY = ("name", "create_time", "update_time", "size_bytes", "satisfies_pzs", "satisfies_pzi", "registry_uri")
_UPDATABLE = frozenset(
    {
        *("description", "labels", "cleanup_policies", "cleanup_policy_dry_run", "docker_config", "maven_config"),
        "vulnerability_scanning_config",
    }
)
_SCANNED_FORMATS = (Repository.Format.DOCKER,)

service = Service("google.devtools.artifactregistry.v1.ArtifactRegistry")


@service.method("CreateRepository")
def create_repository(request: Any, cloud: Cloud) -> Message:
    parent = named(cloud, request.parent)
    if not _REPOSITORY_ID.fullmatch(request.repository_id):
        raise ApiError("INVALID_ARGUMENT", f'repository id "{request.repository_id}" has an unexpected format.')
    if not request.repository.format_:
        raise ApiError("INVALID_ARGUMENT", "repository format must be specified.")
    repository = Repository.pb()()
    repository.CopyFrom(request.repository)
    for field in _OUTPUT_ONLY:
        repository.ClearField(field)
    repository.name = f"{parent}/repositories/{request.repository_id}"
    repository.mode = repository.mode or Repository.Mode.STANDARD_REPOSITORY
    if repository.mode != Repository.Mode.STANDARD_REPOSITORY:
        raise ApiError("UNIMPLEMENTED", "The local cloud has no virtual or remote repositories.")
    repository.satisfies_pzi = True
    _scan(repository, cloud)
    answered = Repository.pb()()
    answered.CopyFrom(repository)
    repository.registry_uri = _registry_uri(repository)
    repository.create_time.CopyFrom(cloud.timestamp())
    repository.update_time.CopyFrom(repository.create_time)
    with cloud.store.transaction():
        if cloud.store.get(REPOSITORIES, repository.name) is not None:
            raise ApiError("ALREADY_EXISTS", "the repository already exists")
        cloud.store.put(REPOSITORIES, repository.name, repository)
    # The operation's answer has neither times nor address (recorded in 2026).
    return _done(cloud, request.parent, answered)


@service.method("GetRepository")
def get_repository(request: Any, cloud: Cloud) -> Message:
    return repository_of(cloud, request.name)


@service.method("ListRepositories")
def list_repositories(request: Any, cloud: Cloud) -> Message:
    chosen, token = page(cloud.store.list(REPOSITORIES, named(cloud, request.parent)), request)
    return ListRepositoriesResponse.pb()(repositories=chosen, next_page_token=token)


@service.method("UpdateRepository")
def update_repository(request: Any, cloud: Cloud) -> Message:
    """Without a mask, changes every field that the request sets, except those that cannot change."""
    wanted = request.repository
    paths = list(request.update_mask.paths) or [
        field.name for field, _ in wanted.ListFields() if field.name in _UPDATABLE
    ]
    if fixed := sorted(path for path in paths if path.partition(".")[0] not in _UPDATABLE):
        raise ApiError("INVALID_ARGUMENT", f"update mask: {', '.join(fixed)} cannot be changed.")
    with cloud.store.update(REPOSITORIES, repository_of(cloud, wanted.name).name) as repository:
        FieldMask(paths=paths).MergeMessage(wanted, repository, True, True)
        repository.update_time.CopyFrom(cloud.timestamp())
        if any(path.startswith("vulnerability_scanning_config") for path in paths):
            _scan(repository, cloud)
    return repository


@service.method("DeleteRepository")
def delete_repository(request: Any, cloud: Cloud) -> Message:
    """Deletes the repository with everything in it, as the real service does."""
    repository = repository_of(cloud, request.name)
    forget_repository(cloud, repository.name)
    forget_policies(cloud, repository.name)
    cloud.store.delete(REPOSITORIES, repository.name)
    return _done(cloud, repository.name.partition("/repositories/")[0], Empty())


@service.method("GetIamPolicy")
def get_iam_policy(request: Any, cloud: Cloud) -> Message:
    policy: Message = get_policy(cloud, repository_of(cloud, request.resource).name)
    return policy


@service.method("SetIamPolicy")
def set_iam_policy(request: Any, cloud: Cloud) -> Message:
    repository = repository_of(cloud, request.resource)
    policy: Message = set_policy(cloud, repository.name, request.policy)
    return policy


def repository_of(cloud: Cloud, name: str) -> Any:
    """The repository. Raises ApiError NOT_FOUND."""
    found = cloud.store.get(REPOSITORIES, named(cloud, name))
    if found is None:
        raise ApiError("NOT_FOUND", "Requested entity was not found.")
    return found


def _registry_uri(repository: Any) -> str:
    """Address for clients of the format: `us-central1-docker.pkg.dev/my-project/my-repository`."""
    _, project, _, location, _, repository_id = str(repository.name).split("/")
    return f"{location}-{Repository.Format(repository.format_).name.lower()}.pkg.dev/{project}/{repository_id}"


def _scan(repository: Any, cloud: Cloud) -> None:
    """Sets the scanning state of a project without the scanning API (recorded), because nothing is scanned here."""
    if repository.format_ not in _SCANNED_FORMATS:
        return
    config = repository.vulnerability_scanning_config
    config.last_enable_time.CopyFrom(cloud.timestamp())
    config.enablement_state = Repository.VulnerabilityScanningConfig.EnablementState.SCANNING_DISABLED
    config.enablement_state_reason = "API containerscanning.googleapis.com is not enabled."


def _done(cloud: Cloud, parent: str, response: Message) -> Message:
    # Names hold the project's id, as it was asked for.
    return cloud.operations.finished(named(cloud, parent), metadata=OperationMetadata.pb()(), response=response)
