"""Base image and builders: their list, the addresses of their registries, and their digests in the files."""

import datetime
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import yaml

from tools.base_digests import (
    LOCK,
    USES,
    challenge_of,
    digest_at,
    images_in,
    manifest_address,
    moved,
    with_base_digests,
    with_recorded,
)

ROOT = Path(__file__).resolve().parents[1]
DIGEST, OTHER_DIGEST = "sha256:" + "5e" * 32, "sha256:" + "6f" * 32


def recorded() -> dict[str, str]:
    return {row["image"]: row["digest"] for row in yaml.safe_load(LOCK.read_text())["images"]}


def test_every_image_that_runs_code_of_a_build_is_named_by_its_recorded_digest() -> None:
    found = {named for name, before in USES.items() for named in images_in((ROOT / name).read_text(), before)}
    assert found == set(recorded().items())
    assert {image for image, _ in found} == {"python:3.11-slim", "python:3.11", "gcr.io/cloud-builders/docker"}


def test_a_moved_tag_is_said_with_the_digest_that_was_recorded() -> None:
    row = {"image": "python:3.11", "digest": DIGEST, "date": datetime.date(2026, 12, 1)}
    assert moved(row, DIGEST) == DIGEST
    assert moved(row, OTHER_DIGEST) == f"moved: {OTHER_DIGEST}, where {DIGEST} was recorded on 2026-12-01"


def test_a_new_digest_is_recorded_with_its_source_and_date() -> None:
    text, today = LOCK.read_text(), datetime.date(2026, 12, 8)
    rows = yaml.safe_load(text)["images"]
    assert with_recorded(text, recorded(), today) == text
    written = yaml.safe_load(with_recorded(text, {**recorded(), "python:3.11": DIGEST}, today))["images"]
    renewed = {"image": "python:3.11", "digest": DIGEST, "source": "the registry", "date": today}
    assert written == [renewed if row["image"] == "python:3.11" else row for row in rows]


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
    ((image, earlier),) = set(images_in(text, before))
    written = with_base_digests(text, before, {image: DIGEST})
    assert list(images_in(written, before)) == [(image, DIGEST)]
    assert with_base_digests(written, before, {image: DIGEST}) == written
    assert written.replace(DIGEST, earlier) == text
    assert with_base_digests(text.replace(f"@{earlier}", ""), before, {image: DIGEST}) == written
    assert with_base_digests(text, before, {"other": DIGEST}) == text


class Registry(BaseHTTPRequestHandler):
    """A registry that wants a token, which it gives to everybody; `/v2/NAME/manifests/TAG` answers as TAG says."""

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        assert (asked.path, parse_qs(asked.query)["scope"]) == ("/token", ["repository:a/b:pull"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"token": "for-anybody"}).encode())

    def do_HEAD(self) -> None:
        tag = self.path.rpartition("/")[2]
        if self.headers["Authorization"] != "Bearer for-anybody":
            host = self.headers["Host"]
            self.send_response(401)
            scope = 'service="registry",scope="repository:a/b:pull"'
            self.send_header("WWW-Authenticate", f'Bearer realm="http://{host}/token",{scope}')
        elif tag == "elsewhere":
            self.send_response(307)
            self.send_header("Location", "http://evil.example/")
        else:
            self.send_response(404 if tag == "gone" else 200)
            assert "application/vnd.oci.image.index.v1+json" in self.headers["Accept"]
            if tag != "silent":
                self.send_header("Docker-Content-Digest", "sha256:short USER root" if tag == "odd" else DIGEST)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def manifests() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v2/a/b/manifests"
        server.shutdown()


def test_a_registry_is_asked_with_the_token_that_it_gives_to_everybody(manifests: str) -> None:
    assert digest_at(f"{manifests}/latest") == DIGEST


@pytest.mark.parametrize(
    ("tag", "error"),
    [("gone", requests.HTTPError), ("silent", KeyError), ("odd", ValueError), ("elsewhere", ValueError)],
)
def test_any_other_answer_is_no_digest(manifests: str, tag: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        digest_at(f"{manifests}/{tag}")
