"""Cloud Build as its own client sees it: accepted and refused requests, and the image that a build leaves."""

import io
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.cloud import artifactregistry_v1, storage
from google.cloud.artifactregistry_v1.types import Repository
from google.cloud.devtools import cloudbuild_v1
from google.cloud.devtools.cloudbuild_v1.types import Build

from localcloud.daemon import Connection
from tests.accounts import classic_project, grant
from tests.waiting import PATIENCE_SECONDS

REGION = "us-central1"


@pytest.fixture(params=["grpc", pytest.param("rest", marks=pytest.mark.slow)])
def client(request: pytest.FixtureRequest, cloud: Connection) -> cloudbuild_v1.CloudBuildClient:
    return cloudbuild_v1.CloudBuildClient(transport=request.param)


@pytest.fixture
def parent(cloud: Connection, project: str) -> str:
    """A location of a project whose builds run as Compute Engine's default account, an editor."""
    classic_project(project)
    return f"projects/{project}/locations/{REGION}"


@pytest.fixture
def image(project: str, parent: str) -> str:
    """An image of an existing repository."""
    artifactregistry_v1.ArtifactRegistryClient().create_repository(
        parent=parent, repository_id="images", repository=Repository(format_=Repository.Format.DOCKER)
    ).result()
    return f"{REGION}-docker.pkg.dev/{project}/images/steps:1"


@pytest.fixture
def source(project: str, cloud: Connection) -> Callable[..., dict[str, Any]]:
    bucket = storage.Client(project=project).create_bucket(f"{project}-sources", location=REGION)

    def put(*names: str) -> dict[str, Any]:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name in names:
                archive.addfile(tarfile.TarInfo(name))
        bucket.blob("source.tar.gz").upload_from_string(buffer.getvalue())
        return {"storage_source": {"bucket": bucket.name, "object_": "source.tar.gz"}}

    return put


@pytest.fixture
def held(cloud: Connection) -> Iterator[None]:
    cloud.admin("PUT", "/_local/builds", {"held": True})
    yield
    cloud.admin("PUT", "/_local/builds", {"held": False})


def build_of(image: str, source: dict[str, Any], *arguments: str, **fields: Any) -> Build:
    step = {"name": "gcr.io/cloud-builders/docker", "args": ["build", *arguments, "--tag", image, "."]}
    return Build(steps=[step], images=[image], source=source, **fields)


def test_a_build_ends_with_the_image_in_artifact_registry(
    client: cloudbuild_v1.CloudBuildClient, parent: str, image: str, source: Callable[..., dict[str, Any]]
) -> None:
    wanted = build_of(image, source("Dockerfile", "program.py"), tags=["first"])
    operation = client.create_build(request={"parent": parent, "build": wanted})
    assert operation.metadata.build.status.name in ("QUEUED", "WORKING")
    built = operation.result(timeout=PATIENCE_SECONDS)
    assert (built.status, [found.name for found in built.results.images]) == (Build.Status.SUCCESS, [image])
    assert client.get_build(request={"name": built.name}) == built
    assert [found.id for found in client.list_builds(request={"parent": parent, "filter": 'tags="first"'})] == [
        built.id
    ]
    assert list(client.list_builds(request={"parent": parent, "filter": 'tags="second"'})) == []
    tag = f"{parent}/repositories/images/packages/steps/tags/1"
    version = artifactregistry_v1.ArtifactRegistryClient().get_tag(name=tag).version
    assert version.rpartition("/")[2] == built.results.images[0].digest
    with pytest.raises((exceptions.FailedPrecondition, exceptions.BadRequest), match="has ended: SUCCESS"):
        client.cancel_build(request={"name": built.name})


def test_a_build_without_a_project_s_location_is_global(
    client: cloudbuild_v1.CloudBuildClient, project: str, image: str, source: Callable[..., dict[str, Any]]
) -> None:
    build = client.create_build(project_id=project, build=build_of(image, source("Dockerfile"))).result(
        timeout=PATIENCE_SECONDS
    )
    assert "/locations/global/builds/" in build.name
    assert client.get_build(project_id=project, id=build.id) == build


def test_a_build_that_runs_is_cancelled_and_pushes_nothing(
    client: cloudbuild_v1.CloudBuildClient, parent: str, image: str, source: Callable[..., dict[str, Any]], held: None
) -> None:
    operation = client.create_build(request={"parent": parent, "build": build_of(image, source("Dockerfile"))})
    name = operation.metadata.build.name
    assert client.cancel_build(request={"name": name}).status == Build.Status.CANCELLED
    with pytest.raises(exceptions.GoogleAPICallError):
        operation.result(timeout=PATIENCE_SECONDS)
    assert client.get_build(request={"name": name}).status == Build.Status.CANCELLED
    packages = artifactregistry_v1.ArtifactRegistryClient().list_packages(parent=f"{parent}/repositories/images")
    assert list(packages) == []


@pytest.mark.parametrize(
    ("files", "arguments", "tag", "words"),
    [
        (["program.py"], [], "images/steps:1", "open Dockerfile: no such file"),
        (["Dockerfile"], ["--file", "other/Dockerfile"], "images/steps:1", "open other/Dockerfile: no such file"),
        (["Dockerfile"], [], "elsewhere/steps:1", "failed to push"),
    ],
    ids=["no Dockerfile", "no such Dockerfile", "no repository"],
)
def test_a_build_that_cannot_be_done_fails_with_its_cause(
    cloud: Connection,
    parent: str,
    image: str,
    source: Callable[..., dict[str, Any]],
    files: list[str],
    arguments: list[str],
    tag: str,
    words: str,
) -> None:
    client = cloudbuild_v1.CloudBuildClient()
    tagged = image.replace("images/steps:1", tag)
    build = build_of(tagged, source(*files), *arguments)
    operation = client.create_build(request={"parent": parent, "build": build})
    with pytest.raises(exceptions.GoogleAPICallError, match=words):
        operation.result(timeout=PATIENCE_SECONDS)
    failed = client.get_build(request={"name": operation.metadata.build.name})
    assert failed.status == Build.Status.FAILURE
    assert words in failed.failure_info.detail


def test_what_cloud_build_does_not_begin_is_refused(
    client: cloudbuild_v1.CloudBuildClient, project: str, parent: str, image: str, source: Callable[..., dict[str, Any]]
) -> None:
    there = source("Dockerfile")
    gone = {"storage_source": {"bucket": f"{project}-sources", "object_": "none.tar.gz"}}
    email = f"projects/{project}/serviceAccounts/builder@{project}.iam.gserviceaccount.com"
    for build, error, words in (
        (Build(source=there), exceptions.BadRequest, "no build steps"),
        (build_of(image, gone), exceptions.BadRequest, "No such object"),
        (build_of(image, there, tags=["not a tag"]), exceptions.BadRequest, "invalid build tag"),
        (build_of(image, there, service_account=email), exceptions.NotFound, "Unknown service account"),
    ):
        with pytest.raises(error, match=words):
            client.create_build(request={"parent": parent, "build": build})
    assert list(client.list_builds(request={"parent": parent})) == []


def test_an_account_of_one_s_own_needs_a_place_for_the_log(
    client: cloudbuild_v1.CloudBuildClient, project: str, parent: str, image: str, source: Callable[..., dict[str, Any]]
) -> None:
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    credentials, _ = google.auth.default()
    made: requests.Response = AuthorizedSession(credentials).post(
        f"https://iam.googleapis.com/v1/projects/{project}/serviceAccounts", json={"accountId": "builder"}
    )
    account = made.json()["name"]
    for role in ("roles/storage.objectViewer", "roles/artifactregistry.writer"):
        grant(project, role, made.json()["email"])
    build = build_of(image, source("Dockerfile"), service_account=account)
    with pytest.raises(exceptions.BadRequest, match="logs_bucket"):
        client.create_build(request={"parent": parent, "build": build})
    build.options.logging = cloudbuild_v1.types.BuildOptions.LoggingMode.CLOUD_LOGGING_ONLY
    with pytest.raises(exceptions.GoogleAPICallError, match=r"write logs to Cloud Logging.*roles/logging\.logWriter"):
        client.create_build(request={"parent": parent, "build": build}).result(timeout=PATIENCE_SECONDS)
    grant(project, "roles/logging.logWriter", made.json()["email"])
    assert (
        client.create_build(request={"parent": parent, "build": build}).result(timeout=PATIENCE_SECONDS).service_account
        == account
    )
