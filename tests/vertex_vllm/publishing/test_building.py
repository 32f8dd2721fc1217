"""The image, built by the local cloud's Cloud Build: built once, found afterwards, finished after an interruption."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from google.cloud import artifactregistry_v1, storage
from google.cloud.devtools import cloudbuild_v1
from google.cloud.devtools.cloudbuild_v1.types import CreateBuildRequest

from localcloud.daemon import Connection
from tools.base_digests import LOCK
from vertex_vllm.bootstrap.making import make, project_number
from vertex_vllm.bootstrap.required_setup import BUILD, Settings, wanted
from vertex_vllm.bootstrap.session import authorized_session
from vertex_vllm.errors import BucketError, ServiceError
from vertex_vllm.project_names import TEMPLATES_REPOSITORY, sources_bucket
from vertex_vllm.publishing import release as releasing
from vertex_vllm.publishing.building import ImageBuild, build_image, create_build_request, find_image, open_region
from vertex_vllm.publishing.image_bill import bill_of_archive
from vertex_vllm.publishing.image_digest import find_digest, point_tag
from vertex_vllm.publishing.image_sources import Sources, read_sources
from vertex_vllm.publishing.provenance import require_provenance, require_signed_provenance
from vertex_vllm.publishing.release import Release
from vertex_vllm.publishing.templates import Destination

ROOT = Path(__file__).resolve().parents[3]
REGION = "us-central1"
COMMIT = "4f" * 20
RECORDED = {row["image"]: row["digest"] for row in yaml.safe_load(LOCK.read_text())["images"]}
BUILDER = f"gcr.io/cloud-builders/docker@{RECORDED['gcr.io/cloud-builders/docker']}"
PIPELINES = ("first", "second")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    root = tmp_path_factory.mktemp("sources")
    (root / "Dockerfile").write_text("FROM python:3.11-slim\n")
    (root / ".dockerignore").touch()
    (root / "constraints").mkdir()
    (root / "constraints" / "image.hashes").write_text(f"a-package==1.2 \\\n    --hash=sha256:{'5e' * 32}\n")
    return read_sources(root)


@pytest.fixture
def build(cloud: Connection, project: str, sources: Sources) -> ImageBuild:
    """The build of an image in a project that bootstrap has prepared."""
    session = authorized_session()
    settings = Settings(project, project_number(session, project), REGION, hub_token=False)
    for step in wanted(settings):
        make(session, step)
    return ImageBuild(project, REGION, sources_bucket(project, REGION), sources.digest, settings.account(BUILD), COMMIT)


@pytest.fixture
def release(build: ImageBuild) -> Release:
    destination = Destination(build.project, REGION, TEMPLATES_REPOSITORY, build.bucket, COMMIT)

    def spec(name: str, image: str) -> str:
        return yaml.safe_dump({"pipelineInfo": {"name": name}, "image": image})

    return Release(build, destination, PIPELINES, spec)


@pytest.fixture
def held(cloud: Connection) -> Iterator[None]:
    """Keeps builds from ending, until the fixture or the test releases them."""
    cloud.admin("PUT", "/_local/builds", {"held": True})
    yield
    cloud.admin("PUT", "/_local/builds", {"held": False})


def builds(project: str) -> list[cloudbuild_v1.Build]:
    parent = f"projects/{project}/locations/{REGION}"
    return list(cloudbuild_v1.CloudBuildClient().list_builds(request={"parent": parent}))


def test_the_request_is_this() -> None:
    build = ImageBuild("team", "us-central1", "team-runs", "5e" * 32, "build@team.iam.gserviceaccount.com", COMMIT)
    tagged = f"us-central1-docker.pkg.dev/team/vertex-vllm/python-steps:sources-{'5e' * 32}"
    name = f"sources/{'5e' * 32}.tar.gz"
    labels = ["--label", "managed-by=vertex-vllm", "--label", f"org.opencontainers.image.revision={COMMIT}"]
    assert create_build_request(build, 7) == CreateBuildRequest(
        {
            "parent": "projects/team/locations/us-central1",
            "project_id": "team",
            "build": {
                "source": {"storage_source": {"bucket": "team-runs", "object_": name, "generation": 7}},
                "steps": [
                    {"name": BUILDER, "args": ["build", "--tag", tagged, *labels, "."]},
                ],
                "images": [tagged],
                "tags": ["vertex-vllm", f"sources-{'5e' * 32}", f"commit-{COMMIT}"],
                "service_account": "projects/team/serviceAccounts/build@team.iam.gserviceaccount.com",
                "timeout": {"seconds": 1800},
                "options": {
                    "logging": "CLOUD_LOGGING_ONLY",
                    "requested_verify_option": "VERIFIED",
                    "source_provenance_hash": ["SHA256"],
                },
            },
        }
    )
    uncommitted = create_build_request(replace(build, commit=""), 7).build
    assert uncommitted.steps[0].args == ["build", "--tag", tagged, *labels[:2], "."]
    assert uncommitted.tags == ["vertex-vllm", f"sources-{'5e' * 32}"]


def test_a_release_is_made_once(release: Release, sources: Sources) -> None:
    latest = f"tag {release.build.latest}"
    everything = (f"image {release.build.tagged}", latest, "template first", "template second")
    assert releasing.missing(release) == everything
    told: list[str] = []
    made = tuple(releasing.make(release, sources.archive, told.append))
    image = find_image(release.build)
    assert image is not None
    bill = release.build.bill_name(image)
    assert made == (f"image {image}", f"bill of materials gs://{release.build.bucket}/{bill}", *everything[1:])
    assert told[0].startswith(f"building {release.build.tagged}, log: https://console.cloud.google.com/cloud-build/")
    assert told[-1].endswith(": SUCCESS")
    assert releasing.missing(release) == ()
    assert tuple(releasing.make(release, sources.archive, told.append)) == ()
    assert len(builds(release.build.project)) == 1
    client = storage.Client(project=release.build.project)
    spec = client.bucket(release.build.bucket).blob(f"specs/{COMMIT}/first.yaml").download_as_text()
    assert yaml.safe_load(spec)["image"] == image
    written = client.bucket(release.build.bucket).blob(bill).download_as_text()
    assert written == bill_of_archive(sources.archive, image)
    assert [each["purl"] for each in json.loads(written)["components"]] == ["pkg:pypi/a-package@1.2"]


def test_a_project_that_may_not_build_in_its_region_builds_in_the_nearest_open_one(
    build: ImageBuild, sources: Sources, faulty: Connection
) -> None:
    refusal = "failed precondition: due to quota restrictions, cannot run builds in this region. Please contact support"
    faulty.add_fault(rpc="CreateBuild", kind="error", code="FAILED_PRECONDITION", message=refusal, times=1)
    told: list[str] = []
    image = build_image(build, sources.archive, told.append)
    assert image == find_image(build)
    assert "cannot run builds in this region" in told[0]


@pytest.mark.parametrize(
    ("region", "nearest"),
    [
        ("us-central1", "us-central1"),
        ("us-east4", "us-central1"),
        ("northamerica-northeast1", "us-central1"),
        ("europe-west4", "europe-west1"),
        ("asia-southeast1", "asia-east1"),
        ("me-west1", "europe-west1"),
        ("australia-southeast2", "australia-southeast1"),
    ],
)
def test_the_nearest_region_that_builds_for_everybody(region: str, nearest: str) -> None:
    assert open_region(region) == nearest


def test_a_refusal_for_another_reason_is_told_as_it_is(build: ImageBuild, sources: Sources, faulty: Connection) -> None:
    faulty.add_fault(rpc="CreateBuild", kind="error", code="FAILED_PRECONDITION", message="no billing", times=1)
    with pytest.raises(ServiceError, match="no billing"):
        build_image(build, sources.archive)


def test_an_archive_that_somebody_else_put_there_is_not_built(build: ImageBuild, sources: Sources) -> None:
    bucket = storage.Client(project=build.project).bucket(build.bucket)
    bucket.blob(build.object_name).upload_from_string(b"FROM evil")
    with pytest.raises(ServiceError, match="another archive has the name of these sources"):
        build_image(build, sources.archive)
    assert builds(build.project) == []


def test_what_is_built_is_the_archive_that_was_compared(build: ImageBuild, sources: Sources) -> None:
    build_image(build, sources.archive)
    bucket = storage.Client(project=build.project).bucket(build.bucket)
    (built,) = builds(build.project)
    source = built.source.storage_source
    assert source.generation == bucket.get_blob(build.object_name).generation


def test_an_image_of_other_sources_is_refused_by_cloud_builds_own_record(build: ImageBuild, sources: Sources) -> None:
    build_image(build, sources.archive)
    (built,) = builds(build.project)
    require_provenance(build.bucket, build.object_name, sources.archive, built)
    storage_source = built.source_provenance.resolved_storage_source
    with pytest.raises(ServiceError, match=r"it read gs://.*sources/"):
        require_provenance(build.bucket, "sources/another.tar.gz", sources.archive, built)
    with pytest.raises(ServiceError, match="holds another archive"):
        require_provenance(build.bucket, build.object_name, b"other sources", built)
    storage_source.generation += 1
    with pytest.raises(ServiceError, match="is gone"):
        require_provenance(build.bucket, build.object_name, sources.archive, built)
    storage_source.generation -= 1
    built.source_provenance.file_hashes.clear()
    with pytest.raises(ServiceError, match="the hash that it recorded"):
        require_provenance(build.bucket, build.object_name, sources.archive, built)


@pytest.fixture
def planted(release: Release, tmp_path: Path) -> str:
    """An image of other sources, built by Cloud Build as ours is, under the tag of ours."""
    (tmp_path / "Dockerfile").write_text("FROM evil\n")
    other = read_sources(tmp_path)
    image = build_image(replace(release.build, digest=other.digest), other.archive)
    assert point_tag(release.build.tagged, image.partition("@")[2])
    return image


def test_an_image_of_other_sources_under_our_tag_is_not_taken(release: Release, sources: Sources, planted: str) -> None:
    assert find_image(release.build) == planted
    with pytest.raises(ServiceError, match=r"was not made from these sources: it read gs://"):
        tuple(releasing.make(release, sources.archive, lambda text: None))
    assert find_digest(release.build.latest) is None


def test_an_image_that_somebody_pushed_under_our_tag_is_not_taken(
    cloud: Connection, release: Release, sources: Sources
) -> None:
    build = release.build
    repository = f"projects/{build.project}/locations/{REGION}/repositories/vertex-vllm"
    pushed = {"repository": repository, "image": "python-steps", "tag": build.tag, "digest": f"sha256:{'5e' * 32}"}
    cloud.admin("PUT", "/_local/images", pushed)
    with pytest.raises(ServiceError, match="not shown to be built from these sources: its provenance is missing"):
        tuple(releasing.make(release, sources.archive, lambda text: None))
    assert builds(build.project) == []


def test_provenance_that_cannot_be_read_yet_is_asked_for_again(
    build: ImageBuild, sources: Sources, faulty: Connection
) -> None:
    image = build_image(build, sources.archive)
    faulty.add_fault(service="artifact-analysis", method="GET", kind="error", status=503, times=1)
    require_signed_provenance(image, build.project, build.bucket, build.object_name, sources.archive)


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_broken_off_between_two_things_the_next_call_makes_the_rest(
    release: Release, sources: Sources, after: int
) -> None:
    making = releasing.make(release, sources.archive, lambda text: None)
    made = [next(making) for _ in range(after)]
    making.close()
    made += releasing.make(release, sources.archive, lambda text: None)
    assert [line.split()[0] for line in made] == ["image", "bill", "tag", "template", "template"]
    assert releasing.missing(release) == ()
    assert len(builds(release.build.project)) == 1


def test_killed_while_it_is_built_the_next_call_waits_for_that_build(
    cloud: Connection, build: ImageBuild, sources: Sources, tmp_path: Path, held: None
) -> None:
    (tmp_path / "archive").write_bytes(sources.archive)
    code = f"""
from pathlib import Path
from vertex_vllm.publishing.building import ImageBuild, build_image
build_image({build!r}, Path({str(tmp_path / "archive")!r}).read_bytes(), lambda text: print(text, flush=True))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert any("WORKING" in line for line in process.stdout)
        process.kill()
    assert find_image(build) is None

    def let_go(text: str) -> None:
        cloud.admin("PUT", "/_local/builds", {"held": False})

    image = build_image(build, sources.archive, let_go)
    assert image == find_image(build)
    assert len(builds(build.project)) == 1


def test_an_archive_that_was_uploaded_before_a_kill_is_taken(build: ImageBuild, sources: Sources) -> None:
    bucket = storage.Client(project=build.project).bucket(build.bucket)
    bucket.blob(build.object_name).upload_from_string(sources.archive)
    assert build_image(build, sources.archive).startswith(f"{build.image}@sha256:")


def test_a_build_that_fails_is_told_with_its_cause_and_its_log(build: ImageBuild, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").touch()
    digest = read_sources(tmp_path).digest
    with pytest.raises(ServiceError, match=r"ended as FAILURE: .*not a gzipped tar archive.* Log: https://console"):
        build_image(replace(build, digest=digest), b"no archive")


def test_what_cloud_build_refuses_is_told(build: ImageBuild, sources: Sources) -> None:
    with pytest.raises(BucketError, match=r"gs://no-such-bucket: .*does not exist"):
        build_image(replace(build, bucket="no-such-bucket"), sources.archive)


def test_the_image_can_be_listed_in_artifact_registry(build: ImageBuild, sources: Sources) -> None:
    digest = build_image(build, sources.archive).partition("@")[2]
    package = f"projects/{build.project}/locations/{REGION}/repositories/vertex-vllm/packages/python-steps"
    versions = artifactregistry_v1.ArtifactRegistryClient().list_versions(parent=package)
    assert [version.name.rpartition("/")[2] for version in versions] == [digest]
