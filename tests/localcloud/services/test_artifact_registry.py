"""Artifact Registry and the registry of templates, as their own clients see them."""

import hashlib
from pathlib import Path

import pytest
import requests
import yaml
from google.api_core import exceptions
from google.cloud import artifactregistry_v1
from google.cloud.artifactregistry_v1.types import Repository
from google.iam.v1.policy_pb2 import Binding
from kfp.registry import ApiAuth, RegistryClient

from localcloud.daemon import Connection
from tests.accounts import classic_project
from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled

REGION = "us-central1"


@pytest.fixture(params=["grpc", pytest.param("rest", marks=pytest.mark.slow)])
def client(request: pytest.FixtureRequest, cloud: Connection) -> artifactregistry_v1.ArtifactRegistryClient:
    return artifactregistry_v1.ArtifactRegistryClient(transport=request.param)


def make_repository(project: str, name: str, kind: Repository.Format) -> str:
    return (
        artifactregistry_v1.ArtifactRegistryClient()
        .create_repository(
            parent=f"projects/{project}/locations/{REGION}", repository_id=name, repository=Repository(format_=kind)
        )
        .result()
        .name
    )


@pytest.fixture
def registry(project: str) -> RegistryClient:
    make_repository(project, "templates", Repository.Format.KFP)
    return RegistryClient(host=f"https://{REGION}-kfp.pkg.dev/{project}/templates")


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump(compiled(samples.greetings)) + "# grüße\n")
    return path


def test_a_repository_is_made_found_listed_and_deleted(
    client: artifactregistry_v1.ArtifactRegistryClient, project: str
) -> None:
    parent = f"projects/{project}/locations/{REGION}"
    wanted = Repository(format_=Repository.Format.DOCKER, description="images")
    made = client.create_repository(parent=parent, repository_id="images", repository=wanted).result()
    assert (made.name, made.format_, made.description) == (f"{parent}/repositories/images", wanted.format_, "images")
    with pytest.raises(exceptions.Conflict):
        client.create_repository(parent=parent, repository_id="images", repository=wanted)
    with pytest.raises(exceptions.BadRequest, match="unexpected format"):
        client.create_repository(parent=parent, repository_id="Images", repository=wanted)
    assert list(client.list_repositories(parent=parent)) == [client.get_repository(name=made.name)]
    client.delete_repository(name=made.name).result()
    with pytest.raises(exceptions.NotFound):
        client.get_repository(name=made.name)


def test_a_repository_shows_what_the_service_fills_in(
    client: artifactregistry_v1.ArtifactRegistryClient, project: str
) -> None:
    parent = f"projects/{project}/locations/{REGION}"
    wanted = Repository(format_=Repository.Format.DOCKER, labels={"team": "a"})
    operation = client.create_repository(parent=parent, repository_id="filled", repository=wanted)
    answered, found = operation.result(), client.get_repository(name=f"{parent}/repositories/filled")
    state = Repository.VulnerabilityScanningConfig.EnablementState.SCANNING_DISABLED

    assert operation.operation.name.startswith(f"{parent}/operations/"), "with the project's id"
    assert (found.mode, found.satisfies_pzi) == (Repository.Mode.STANDARD_REPOSITORY, True)
    assert found.registry_uri == f"{REGION}-docker.pkg.dev/{project}/filled"
    assert found.vulnerability_scanning_config.enablement_state == state
    for field in ("create_time", "update_time", "registry_uri"):
        delattr(found, field)
    assert answered == found, "the operation's answer has neither times nor address"


def test_a_patch_changes_what_its_mask_names(client: artifactregistry_v1.ArtifactRegistryClient, project: str) -> None:
    name = make_repository(project, "patched", Repository.Format.DOCKER)
    wanted = Repository(name=name, description="new", labels={"team": "b"})
    changed = client.update_repository(repository=wanted, update_mask="description")
    whole = client.update_repository(repository=wanted)

    assert (changed.description, dict(changed.labels)) == ("new", {})
    assert (whole.description, dict(whole.labels)) == ("new", {"team": "b"})
    assert changed.update_time > changed.create_time
    assert client.get_repository(name=name) == whole
    with pytest.raises(exceptions.BadRequest, match="format cannot be changed"):
        client.update_repository(repository=wanted, update_mask="format")
    with pytest.raises(exceptions.NotFound, match="Requested entity was not found"):
        client.update_repository(repository=Repository(name=f"{name}-not"), update_mask="description")


def test_repositories_of_other_modes_are_refused_by_name(
    client: artifactregistry_v1.ArtifactRegistryClient, project: str
) -> None:
    remote = Repository(format_=Repository.Format.DOCKER, mode=Repository.Mode.REMOTE_REPOSITORY)
    with pytest.raises(exceptions.MethodNotImplemented):
        client.create_repository(
            parent=f"projects/{project}/locations/{REGION}", repository_id="remote", repository=remote
        )


def test_a_repository_has_a_policy_that_only_its_latest_reader_changes(
    client: artifactregistry_v1.ArtifactRegistryClient, project: str
) -> None:
    name = make_repository(project, "images", Repository.Format.DOCKER)
    policy = client.get_iam_policy(request={"resource": name})
    policy.bindings.append(Binding(role="roles/artifactregistry.reader", members=["user:a@example.com"]))
    written = client.set_iam_policy(request={"resource": name, "policy": policy})
    assert client.get_iam_policy(request={"resource": name}) == written
    with pytest.raises(exceptions.Conflict):
        client.set_iam_policy(request={"resource": name, "policy": policy})
    policy.etag = b""
    policy.bindings[0].members[:] = [f"serviceAccount:nobody@{project}.iam.gserviceaccount.com"]
    with pytest.raises(exceptions.BadRequest, match="does not exist"):
        client.set_iam_policy(request={"resource": name, "policy": policy})


def test_a_template_comes_back_by_tag_and_by_version(registry: RegistryClient, template: Path, tmp_path: Path) -> None:
    package, version = registry.upload_pipeline(str(template), tags=["live", "v1"])
    assert (package, version) == ("greetings", f"sha256:{hashlib.sha256(template.read_bytes()).hexdigest()}")
    assert registry.upload_pipeline(str(template)) == (package, version)
    for reference in ({"tag": "live"}, {"version": version}):
        file = registry.download_pipeline(package, file_name=str(tmp_path / "downloaded.yaml"), **reference)
        assert Path(file).read_bytes() == template.read_bytes()
    with pytest.raises(requests.HTTPError, match="404"):
        registry.download_pipeline(package, tag="no-such-tag", file_name=str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("by_tag", [True, False])
def test_a_job_of_a_template_has_the_version_of_the_template(
    registry: RegistryClient, template: Path, project: str, by_tag: bool
) -> None:
    from google.cloud import aiplatform, storage

    classic_project(project)
    package, version = registry.upload_pipeline(str(template), tags=["live"])
    bucket = storage.Client(project=project).create_bucket(f"{project}-templates", location=REGION)
    job = aiplatform.PipelineJob(
        display_name="of a template",
        template_path=f"https://{REGION}-kfp.pkg.dev/{project}/templates/{package}/{'live' if by_tag else version}",
        pipeline_root=f"gs://{bucket.name}",
        parameter_values={"name": "x"},
        project=project,
        location=REGION,
    )
    job.submit()
    assert job.gca_resource.template_metadata.version == version
    job.cancel()


def test_packages_versions_and_tags_are_kept(registry: RegistryClient, template: Path, project: str) -> None:
    package, first = registry.upload_pipeline(str(template), tags="live")
    template.write_text(template.read_text() + "# another\n")
    _, second = registry.upload_pipeline(str(template), tags="next")
    name = f"projects/{project}/locations/{REGION}/repositories/templates/packages/{package}"
    assert [found["name"] for found in registry.list_packages()] == [registry.get_package(package)["name"]] == [name]
    assert [found["name"] for found in registry.list_versions(package)] == [
        f"{name}/versions/{first}",
        f"{name}/versions/{second}",
    ]
    assert [tag["name"] for tag in registry.get_version(package, first)["relatedTags"]] == [f"{name}/tags/live"]
    registry.create_tag(package, first, "old")
    registry.update_tag(package, second, "live")
    assert {tag["name"].rpartition("/")[2]: tag["version"] for tag in registry.list_tags(package)} == {
        "live": f"{name}/versions/{second}",
        "next": f"{name}/versions/{second}",
        "old": f"{name}/versions/{first}",
    }
    with pytest.raises(requests.HTTPError, match="400"):
        registry.delete_version(package, first)
    registry.delete_tag(package, "old")
    assert registry.delete_version(package, first)
    assert [found["name"] for found in registry.list_versions(package)] == [f"{name}/versions/{second}"]
    assert registry.get_tag(package, "live")["version"] == f"{name}/versions/{second}"
    assert registry.delete_package(package)
    assert registry.list_packages() == {}


def test_only_pipelines_of_somebody_known_are_taken(registry: RegistryClient, project: str, tmp_path: Path) -> None:
    text = tmp_path / "text.yaml"
    text.write_text("no: pipeline\n")
    with pytest.raises(requests.HTTPError, match="400"):
        registry.upload_pipeline(str(text))
    host = f"https://{REGION}-kfp.pkg.dev/{project}"
    with pytest.raises(requests.HTTPError, match="404"):
        RegistryClient(host=f"{host}/elsewhere").upload_pipeline(str(text))
    with pytest.raises(requests.HTTPError, match="401"):
        RegistryClient(host=f"{host}/templates", auth=ApiAuth("stolen")).upload_pipeline(str(text))
