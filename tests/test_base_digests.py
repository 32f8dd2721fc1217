"""Base image and builders: which there are, where registries describe them, and their digests in the files."""

from pathlib import Path

import pytest

from tools.base_digests import USES, challenge_of, images_in, manifest_address, with_base_digests

ROOT = Path(__file__).resolve().parents[1]
DIGEST = "sha256:" + "5e" * 32


def test_these_images_run_code_of_builds() -> None:
    found = {image for name, before in USES.items() for image, _ in images_in((ROOT / name).read_text(), before)}
    assert found == {"python:3.11-slim", "python:3.11", "gcr.io/cloud-builders/docker"}


@pytest.mark.parametrize(
    ("image", "address"),
    [
        ("python:3.11-slim", "https://registry-1.docker.io/v2/library/python/manifests/3.11-slim"),
        ("owner/name", "https://registry-1.docker.io/v2/owner/name/manifests/latest"),
        ("gcr.io/cloud-builders/docker", "https://gcr.io/v2/cloud-builders/docker/manifests/latest"),
    ],
)
def test_a_registry_describes_an_image_here(image: str, address: str) -> None:
    assert manifest_address(image) == address


def test_a_registry_says_where_its_tokens_are() -> None:
    header = 'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull"'
    wanted = {"service": "registry.example", "scope": "repository:a/b:pull"}
    assert challenge_of(header) == ("https://auth.example/token", wanted)


@pytest.mark.parametrize("name", USES)
def test_a_digest_is_put_behind_the_tag_once(name: str) -> None:
    text, before = (ROOT / name).read_text(), USES[name]
    (image,) = {image for image, _ in images_in(text, before)}
    written = with_base_digests(text, before, {image: DIGEST})
    assert list(images_in(written, before)) == [(image, DIGEST)]
    assert with_base_digests(written, before, {image: DIGEST}) == written
    assert written.replace(f"@{DIGEST}", "") == text
    assert with_base_digests(text, before, {"other": DIGEST}) == text
