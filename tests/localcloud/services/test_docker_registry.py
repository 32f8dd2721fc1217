"""The registry of images, asked by the protocol that every client of images speaks."""

import requests
import yaml
from google.cloud import artifactregistry_v1

from localcloud.core.callers import OWNER, email_of
from localcloud.daemon import Connection

PUBLIC, NAME = "us-docker.pkg.dev", "tests/images/protocol-test"
DIGEST, UNKNOWN = f"sha256:{'7b' * 32}", f"sha256:{'a' * 64}"


def teach(cloud: Connection, image: str) -> None:
    """Tells the local cloud of a public image, beside those that others told it of."""
    images = cloud.state_dir / "images.yaml"
    rows = yaml.safe_load(images.read_text())["images"] if images.exists() else []
    images.write_text(yaml.safe_dump({"images": [{"image": image, "command": ["true"]}, *rows]}))


def head(cloud: Connection, host: str, name: str, reference: str) -> tuple[int, str]:
    """Status and digest of the answer."""
    answer = requests.head(
        f"https://{host}/v2/{name}/manifests/{reference}",
        headers={"Authorization": f"Bearer {cloud.access_token(email_of(OWNER))}"},
        timeout=60,
    )
    return answer.status_code, answer.headers.get("Docker-Content-Digest", "")


def test_a_digest_is_answered_with_itself_once_it_is_known(cloud: Connection) -> None:
    teach(cloud, f"{PUBLIC}/{NAME}:1")
    status, digest = head(cloud, PUBLIC, NAME, "1")
    assert status == 200
    assert head(cloud, PUBLIC, NAME, digest) == (200, digest)
    assert head(cloud, PUBLIC, NAME, UNKNOWN) == (404, "")


def test_a_digest_of_a_repository_is_one_of_its_versions(cloud: Connection, project: str) -> None:
    parent, host = f"projects/{project}/locations/us-central1", "us-central1-docker.pkg.dev"
    artifactregistry_v1.ArtifactRegistryClient().create_repository(
        parent=parent, repository={"format": "DOCKER"}, repository_id="images"
    ).result()
    pushed = {"repository": f"{parent}/repositories/images", "image": "own/server", "tag": "1", "digest": DIGEST}
    cloud.admin("PUT", "/_local/images", pushed)
    name = f"{project}/images/own/server"
    assert head(cloud, host, name, "1") == (200, DIGEST)
    assert head(cloud, host, name, DIGEST) == (200, DIGEST)
    assert head(cloud, host, name, UNKNOWN) == (404, "")


def test_a_reference_that_is_neither_a_tag_nor_a_digest_does_not_exist(cloud: Connection) -> None:
    teach(cloud, f"{PUBLIC}/{NAME}:*")
    for reference in ("no such", "-1", "x" * 129, "sha256:7b"):
        assert head(cloud, PUBLIC, NAME, reference) == (404, "")
