"""Faults as clients of the Hub and of its content network see them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import parse_ratelimit_headers

from localcloud.daemon import Connection

WEIGHTS = b"\x02\0\0\0\0\0\0\0{}" + bytes(1 << 20)


@pytest.fixture(scope="module")
def repo(cloud: Connection, tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("repo")
    (directory / "config.json").write_text('{"architectures": []}')
    (directory / "model.safetensors").write_bytes(WEIGHTS)
    cloud.admin("PUT", "/_local/hub/repos", {"id": "faults/model", "path": str(directory), "gated": False})
    return "faults/model"


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    """A session without retries and without a token: the Hub refuses tokens of Google's."""
    with requests.Session() as session:
        yield session


@pytest.fixture
def signed_url(faulty: Connection, repo: str, http: requests.Session) -> str:
    url = f"{faulty.environment['HF_ENDPOINT']}/{repo}/resolve/main/model.safetensors"
    return http.head(url, allow_redirects=False).headers["location"]


def test_the_hubs_client_sees_which_limit_is_reached_and_until_when(
    faulty: Connection, repo: str, http: requests.Session
) -> None:
    faulty.add_fault(service="hub", path="/api/models/*", kind="error", status=429, retry_after_seconds=55)
    with pytest.raises(HfHubHTTPError, match=r"reached your 'api' rate limit\.\nRetry after 55 seconds"):
        HfApi().model_info(repo)
    faulty.add_fault(service="hub", path="*/resolve/*", kind="error", status=429, retry_after_seconds=55)
    refused = http.head(f"{faulty.environment['HF_ENDPOINT']}/{repo}/resolve/main/config.json")
    limit = parse_ratelimit_headers(refused.headers)
    assert (limit.resource_type, limit.remaining, limit.reset_in_seconds) == ("resolvers", 0, 55)
    assert (limit.limit, limit.window_seconds) == (3000, 300)
    assert "retry-after" not in refused.headers


@pytest.mark.parametrize(
    ("fields", "status", "limit"),
    [
        ({"code": "RESOURCE_EXHAUSTED"}, 429, '"api";r=0;t=1'),
        ({"code": "UNAVAILABLE", "retry_after_seconds": 3}, 503, None),
        ({"status": 499}, 499, None),
    ],
)
def test_a_fault_for_every_service_is_the_hubs_error_there(
    faulty: Connection, http: requests.Session, fields: dict[str, Any], status: int, limit: str | None
) -> None:
    faulty.add_fault(kind="error", **fields)
    refused = http.get(f"{faulty.environment['HF_ENDPOINT']}/api/whoami-v2")
    assert (refused.status_code, refused.headers.get("ratelimit")) == (status, limit)
    assert refused.headers["x-error-message"] == refused.json()["error"]
    assert refused.headers.get("retry-after") == ("3" if "retry_after_seconds" in fields else None)


def test_the_hub_refuses_in_its_own_words(faulty: Connection, repo: str) -> None:
    faulty.add_fault(service="hub", path="/api/models/*", kind="error", status=500, message="a fault of ours")
    with pytest.raises(HfHubHTTPError, match="a fault of ours"):
        HfApi().model_info(repo)
    assert HfApi().model_info(repo).id == repo


def test_a_download_outlives_a_body_that_is_cut(faulty: Connection, repo: str, tmp_path: Path) -> None:
    faulty.add_fault(service="content-network", method="GET", kind="truncate", after_bytes=300_000)
    got = hf_hub_download(repo, "model.safetensors", cache_dir=tmp_path)
    assert Path(got).read_bytes() == WEIGHTS
    assert faulty.faults()[0]["struck"] == 1


def test_a_signed_url_is_refused_as_an_expired_one_is(
    faulty: Connection, signed_url: str, http: requests.Session
) -> None:
    faulty.add_fault(service="content-network", kind="error", status=403)
    refused = http.get(signed_url)
    assert (refused.status_code, refused.json()) == (403, {"error": "Access Denied: the URL has expired."})
    assert hashlib.sha256(http.get(signed_url).content).digest() == hashlib.sha256(WEIGHTS).digest()


def test_the_hub_and_its_content_network_are_two_services(
    faulty: Connection, signed_url: str, http: requests.Session
) -> None:
    faulty.add_fault(service="hub", kind="error", status=503)
    faulty.add_fault(service="content-network", kind="flip_byte", offset=100, headers={"Range": "bytes=50-*"})
    assert http.get(signed_url).content == WEIGHTS
    part = http.get(signed_url, headers={"Range": "bytes=50-250"}).content
    assert part == WEIGHTS[50:150] + b"\x01" + WEIGHTS[151:251]
    assert http.get(f"{faulty.environment['HF_ENDPOINT']}/api/whoami-v2").status_code == 503


def test_a_signed_url_ends_by_the_local_clouds_clock(
    faulty: Connection, signed_url: str, http: requests.Session
) -> None:
    faulty.admin("PUT", "/_local/clock", {"advance_seconds": 3500})
    assert http.get(signed_url).status_code == 200
    faulty.admin("PUT", "/_local/clock", {"advance_seconds": 101})
    assert http.get(signed_url).status_code == 403


def test_the_content_networks_count_is_out_of_reach(
    faulty: Connection, signed_url: str, http: requests.Session
) -> None:
    counted = f"{faulty.environment['HF_ENDPOINT']}/_cdn/status"
    before = http.get(counted).json()
    faulty.add_fault(kind="error", status=500, times=None)
    assert http.get(signed_url).status_code == 500
    assert http.get(counted).json() == before
    faulty.clear_faults()
    http.get(signed_url)
    assert http.get(counted).json() == {**before, "requests": before["requests"] + 1}
