"""The digest that a tag points at, read from the local cloud's registry of images."""

import pytest

from localcloud.daemon import Connection
from tests.accounts import make_account
from tests.identity import acting_as
from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.served_models import teach
from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.google.image_registry import by_digest

NAME = "us-docker.pkg.dev/tests/images/registry-test"


@pytest.fixture
def public(cloud: Connection) -> str:
    """The name of an image, with the tag 1, of a repository that this cloud does not have."""
    teach(cloud, f"{NAME}:1")
    return NAME


@pytest.fixture
def pushed(local: LocalCloud, ready_project: str) -> str:
    """The name of an image, with the tag 1, in the project's own Artifact Registry."""
    repository = f"projects/{ready_project}/locations/us-central1/repositories/vertex-vllm"
    local.put("images", repository=repository, image="own/server", tag="1", digest=f"sha256:{'7a' * 32}")
    return f"us-central1-docker.pkg.dev/{ready_project}/vertex-vllm/own/server"


def test_a_tag_points_at_a_digest(public: str, pushed: str) -> None:
    found = by_digest(f"{public}:1")
    assert found.startswith(f"{NAME}@sha256:")
    assert by_digest(f"{public}:1") == found
    assert by_digest(f"{pushed}:1") == f"{pushed}@sha256:{'7a' * 32}"


@pytest.mark.parametrize("tag", ["2", "latest"])
def test_a_tag_that_does_not_exist_is_refused(public: str, pushed: str, tag: str) -> None:
    for name in (public, pushed):
        with pytest.raises(InputError, match="no such image or tag"):
            by_digest(f"{name}:{tag}")


def test_who_may_not_read_the_image_is_told_the_command(cloud: Connection, pushed: str, ready_project: str) -> None:
    with (
        acting_as(cloud, make_account(ready_project, "stranger")),
        pytest.raises(InputError, match=r"downloadArtifacts") as refused,
    ):
        by_digest(f"{pushed}:1")
    assert "add-iam-policy-binding vertex-vllm " in str(refused.value)
    assert f"--member=serviceAccount:stranger@{ready_project}.iam" in str(refused.value)


@pytest.mark.parametrize(
    "image",
    [
        *("vllm/vllm-openai:latest", "evil.example/image:1", "evil.example#-docker.pkg.dev/p/r/i:1"),
        *("us-docker.pkg.dev.evil.example/p/r/i:1", "us-docker.pkg.dev@evil.example/p/r/i:1", "docker.pkg.dev"),
        *("us-docker.pkg.dev/p/../../token/i:1", "us-docker.pkg.dev/p//r/i:1", "us-docker.pkg.dev/p/r/i..i:1"),
        *("us-docker.pkg.dev/../i:1", "us-docker.pkg.dev/p/r/i?x=1", "us-docker.pkg.dev/p/r/i:1\n", ""),
    ],
)
def test_no_other_host_is_sent_the_token(image: str) -> None:
    with pytest.raises(InputError, match="is not an image in Artifact Registry"):
        by_digest(image)


def test_a_registry_that_fails_is_asked_again(public: str, faulty: Connection) -> None:
    faulty.add_fault(service="docker-registry", method="HEAD", kind="error", status=503, times=2)
    assert by_digest(f"{public}:1").startswith(f"{NAME}@sha256:")


def test_an_answer_without_a_digest_is_an_error(public: str, faulty: Connection) -> None:
    faulty.add_fault(service="docker-registry", method="HEAD", kind="error", status=418, times=1)
    with pytest.raises(ServiceError, match="answered 418"):
        by_digest(f"{public}:1")
