"""Artifact Registry: packages, their versions and tags, in repositories of any format.

An artifact's content has a host of its own (`kfp_registry`). Names contain the project's id, as the service's do.
"""

from typing import Any

from google.cloud.artifactregistry_v1.types import (
    ListPackagesResponse,
    ListTagsResponse,
    ListVersionsResponse,
    OperationMetadata,
    Package,
    Tag,
    Version,
)
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BytesValue

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.registration import Service
from localcloud.core.store import Kind

PACKAGES = Kind("artifact package", Package.pb())
VERSIONS = Kind("artifact version", Version.pb())
TAGS = Kind("artifact tag", Tag.pb())
CONTENTS = Kind("artifact content", BytesValue)
"""Content of a version, by the version's name. Layers of images are not kept."""

service = Service("google.devtools.artifactregistry.v1.ArtifactRegistry")


def named(cloud: Cloud, name: str) -> str:
    """`name` with the project's id in the place of its number."""
    collection, _, rest = name.partition("/")
    project, slash, remainder = rest.partition("/")
    return f"{collection}/{cloud.project_id(project)}{slash}{remainder}"


def put_version(cloud: Cloud, package: str, digest: str, tags: list[str], content: bytes = b"") -> None:
    """Stores a version, and its package if it is the first; `tags` move to it from other versions.

    `package`: the resource name; a slash in an image's name is written `%2F`. `digest`: `sha256:…`.
    """
    with cloud.store.transaction():
        now = cloud.timestamp()
        if cloud.store.get(PACKAGES, package) is None:
            display_name = package.rpartition("/")[2].replace("%2F", "/")
            cloud.store.put(PACKAGES, package, Package.pb()(name=package, display_name=display_name, create_time=now))
        with cloud.store.update(PACKAGES, package) as changed:
            changed.update_time.CopyFrom(now)
        version = f"{package}/versions/{digest}"
        if cloud.store.get(VERSIONS, version) is None:
            cloud.store.put(VERSIONS, version, Version.pb()(name=version, create_time=now, update_time=now))
            cloud.store.put(CONTENTS, version, BytesValue(value=content))
        for tag in tags:
            name = f"{package}/tags/{tag}"
            cloud.store.put(TAGS, name, Tag.pb()(name=name, version=version))


def forget_repository(cloud: Cloud, repository: str) -> None:
    """Deletes everything in a repository."""
    with cloud.store.transaction():
        for kind in (PACKAGES, VERSIONS, TAGS, CONTENTS):
            for name, _ in cloud.store.items(kind, repository):
                cloud.store.delete(kind, name)


@service.method("GetPackage")
def get_package(request: Any, cloud: Cloud) -> Message:
    return _require(cloud, PACKAGES, request.name)


@service.method("ListPackages")
def list_packages(request: Any, cloud: Cloud) -> Message:
    chosen, token = page(cloud.store.list(PACKAGES, named(cloud, request.parent)), request)
    return ListPackagesResponse.pb()(packages=chosen, next_page_token=token)


@service.method("DeletePackage")
def delete_package(request: Any, cloud: Cloud) -> Message:
    package = _require(cloud, PACKAGES, request.name)
    forget_repository(cloud, package.name)
    cloud.store.delete(PACKAGES, package.name)
    return _deleted(cloud, package.name)


@service.method("GetVersion")
def get_version(request: Any, cloud: Cloud) -> Message:
    return _with_tags(cloud, _require(cloud, VERSIONS, request.name), request.view)


@service.method("ListVersions")
def list_versions(request: Any, cloud: Cloud) -> Message:
    chosen, token = page(cloud.store.list(VERSIONS, named(cloud, request.parent)), request)
    versions = [_with_tags(cloud, version, request.view) for version in chosen]
    return ListVersionsResponse.pb()(versions=versions, next_page_token=token)


@service.method("DeleteVersion")
def delete_version(request: Any, cloud: Cloud) -> Message:
    """Refused while the version has a tag, unless `force`."""
    version = _require(cloud, VERSIONS, request.name)
    tags = _tags_of(cloud, version.name)
    if tags and not request.force:
        raise ApiError(
            "FAILED_PRECONDITION", "cannot delete version because it is tagged; delete the tags first, or use force."
        )
    for tag in tags:
        cloud.store.delete(TAGS, tag.name)
    cloud.store.delete(CONTENTS, version.name)
    cloud.store.delete(VERSIONS, version.name)
    return _deleted(cloud, version.name)


@service.method("GetTag")
def get_tag(request: Any, cloud: Cloud) -> Message:
    return _require(cloud, TAGS, request.name)


@service.method("ListTags")
def list_tags(request: Any, cloud: Cloud) -> Message:
    chosen, token = page(cloud.store.list(TAGS, named(cloud, request.parent)), request)
    return ListTagsResponse.pb()(tags=chosen, next_page_token=token)


@service.method("CreateTag")
def create_tag(request: Any, cloud: Cloud) -> Message:
    package = _require(cloud, PACKAGES, request.parent)
    version = _require(cloud, VERSIONS, request.tag.version)
    tag = Tag.pb()(name=f"{package.name}/tags/{request.tag_id}", version=version.name)
    with cloud.store.transaction():
        if cloud.store.get(TAGS, tag.name) is not None:
            raise ApiError("ALREADY_EXISTS", "the tag already exists")
        cloud.store.put(TAGS, tag.name, tag)
    return tag


@service.method("UpdateTag")
def update_tag(request: Any, cloud: Cloud) -> Message:
    version = _require(cloud, VERSIONS, request.tag.version)
    with cloud.store.update(TAGS, _require(cloud, TAGS, request.tag.name).name) as tag:
        tag.version = version.name
    return tag


@service.method("DeleteTag")
def delete_tag(request: Any, cloud: Cloud) -> Message:
    cloud.store.delete(TAGS, _require(cloud, TAGS, request.name).name)
    return Empty()


def _require(cloud: Cloud, kind: Kind[Any], name: str) -> Any:
    found = cloud.store.get(kind, named(cloud, name))
    if found is None:
        raise ApiError("NOT_FOUND", f'{kind.message_type.DESCRIPTOR.name} "{named(cloud, name)}" was not found.')
    return found


def _with_tags(cloud: Cloud, version: Any, view: int) -> Any:
    """The version; with the view FULL it lists its tags."""
    if view:
        version.related_tags.extend(_tags_of(cloud, version.name))
    return version


def _tags_of(cloud: Cloud, version: str) -> list[Any]:
    package = version.partition("/versions/")[0]
    return [tag for tag in cloud.store.list(TAGS, package) if tag.version == version]


def _deleted(cloud: Cloud, name: str) -> Message:
    parent = named(cloud, name.partition("/repositories/")[0])
    return cloud.operations.finished(parent, metadata=OperationMetadata.pb()(), response=Empty())
