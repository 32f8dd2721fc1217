"""Artifact Registry: repositories and who may use them. What lies in them: `artifact_packages`."""

import re
from typing import Any

from google.cloud.artifactregistry_v1.types import ListRepositoriesResponse, OperationMetadata, Repository
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.google.artifact_packages import forget_repository, named
from localcloud.google.policies import forget_policies, get_policy, set_policy
from localcloud.listing import page
from localcloud.services import Service
from localcloud.store import Kind

REPOSITORIES = Kind("artifact repository", Repository.pb())

_REPOSITORY_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")

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
    repository.name = f"{parent}/repositories/{request.repository_id}"
    repository.create_time.CopyFrom(cloud.timestamp())
    repository.update_time.CopyFrom(repository.create_time)
    with cloud.store.transaction():
        if cloud.store.get(REPOSITORIES, repository.name) is not None:
            raise ApiError("ALREADY_EXISTS", "the repository already exists")
        cloud.store.put(REPOSITORIES, repository.name, repository)
    return _done(cloud, request.parent, repository)


@service.method("GetRepository")
def get_repository(request: Any, cloud: Cloud) -> Message:
    return repository_of(cloud, request.name)


@service.method("ListRepositories")
def list_repositories(request: Any, cloud: Cloud) -> Message:
    chosen, token = page(cloud.store.list(REPOSITORIES, named(cloud, request.parent)), request)
    return ListRepositoriesResponse.pb()(repositories=chosen, next_page_token=token)


@service.method("DeleteRepository")
def delete_repository(request: Any, cloud: Cloud) -> Message:
    """With everything in it, as the real one does."""
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
    """Raises ApiError NOT_FOUND."""
    found = cloud.store.get(REPOSITORIES, named(cloud, name))
    if found is None:
        raise ApiError("NOT_FOUND", f'Repository "{named(cloud, name)}" not found.')
    return found


def _done(cloud: Cloud, parent: str, response: Message) -> Message:
    return cloud.operations.finished(cloud.canonical(parent), metadata=OperationMetadata.pb()(), response=response)
