"""The proxy: Google's hosts lead to the local cloud, and all other hosts are refused."""

import asyncio
import http.client
import socket
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import httpx
import pytest
import requests

from localcloud.core.callers import OWNER
from localcloud.core.ports import choose_ports
from localcloud.daemon import Connection
from localcloud.front.ca import CertificateAuthority
from localcloud.front.proxy import Proxy


def _proxy(cloud: Connection) -> tuple[str, int]:
    address = urlsplit(cloud.environment["HTTPS_PROXY"])
    assert address.hostname is not None
    assert address.port is not None
    return address.hostname, address.port


def _ask(cloud: Connection, request: bytes) -> tuple[int, str]:
    with socket.create_connection(_proxy(cloud), timeout=20) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read().decode()


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("example.org:443", "example.org"),
        ("aiplatform.googleapis.com.example.org:443", "aiplatform.googleapis.com.example.org"),
        ("aiplatform.googleapis.com:22", "aiplatform.googleapis.com:22"),
        ("bigquery.googleapis.com:443", "bigquery.googleapis.com"),
    ],
)
def test_a_host_without_a_route_is_refused_by_name(cloud: Connection, target: str, named: str) -> None:
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()
    assert _ask(cloud, request) == (403, f"local cloud has no route for {named}\n")


def test_a_recorder_s_proxy_lets_other_hosts_through_unread(tmp_path: Path) -> None:
    async def ask() -> bytes:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"heard " + await reader.readexactly(5))
            writer.close()

        other = await asyncio.start_server(echo, "127.0.0.1", 0)
        ports = choose_ports(tmp_path / "ports.json")
        proxy = Proxy(CertificateAuthority(tmp_path), api_port=ports.api, grpc_port=ports.grpc, passes_others=True)
        await proxy.start(ports.proxy)
        target = f"localhost:{other.sockets[0].getsockname()[1]}"
        reader, writer = await asyncio.open_connection("127.0.0.1", ports.proxy)
        writer.write(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
        writer.write(b"hello")
        heard = await reader.read()
        await proxy.stop()
        other.close()
        return heard

    assert asyncio.run(ask()) == b"heard hello"


def test_plain_http_is_not_for_this_proxy(cloud: Connection) -> None:
    status, text = _ask(cloud, b"GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n")
    assert (status, text) == (501, "this proxy answers CONNECT only, not GET\n")


def test_an_endless_head_is_cut(cloud: Connection) -> None:
    status, _ = _ask(cloud, b"CONNECT x:443 HTTP/1.1\r\n" + b"X: y\r\n" * 20_000)
    assert status == 431


def test_a_client_that_does_not_know_the_authority_is_not_deceived(cloud: Connection) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get("https://storage.googleapis.com/", verify=certifi.where(), timeout=20)


@pytest.mark.parametrize(
    "url",
    [
        "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/models",
        "https://5.us-central1-1.prediction.vertexai.goog/v1/projects/p/locations/us-central1/endpoints/5",
        "https://huggingface.co/api/whoami-v2",
    ],
)
def test_a_certificate_is_for_the_host_that_was_asked_for(cloud: Connection, url: str) -> None:
    # A call without a token is refused; the refusal itself proves that TLS was trusted.
    assert httpx.get(url, timeout=20).status_code == 401


def test_a_slow_reader_gets_every_byte(cloud: Connection, project: str) -> None:
    """The body is larger than all buffers on the way, and is read in small pieces, so that the sender has to wait."""
    bucket, content = f"{project}-bucket", bytes(range(256)) * 4096 * 24
    headers = {"Authorization": f"Bearer {cloud.access_token(OWNER)}"}
    with httpx.Client(base_url="https://storage.googleapis.com", headers=headers, timeout=60) as client:
        client.post("/storage/v1/b", params={"project": project}, json={"name": bucket}).raise_for_status()
        upload = f"/upload/storage/v1/b/{bucket}/o"
        client.post(upload, params={"uploadType": "media", "name": "o"}, content=content).raise_for_status()
        with client.stream("GET", f"/storage/v1/b/{bucket}/o/o", params={"alt": "media"}) as response:
            assert b"".join(response.iter_bytes(1000)) == content
