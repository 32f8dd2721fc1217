"""An unreachable Cloud Storage: an error at once if a retry cannot help, otherwise a warning on every try."""

import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials

from tests.vertex_vllm.network.odd_hosts import AUTHORITIES, PROXIES, Answers, served
from vertex_vllm.errors import InputError, UnreachableError, VertexVllmError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.network import faults


@pytest.fixture(autouse=True)
def no_way_but_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *AUTHORITIES, "API_ENDPOINT_OVERRIDE"):
        monkeypatch.delenv(name, raising=False)
    for patience in ("UNREACHABLE_SECONDS", "_REFUSED_SECONDS", "_CLOSED_SECONDS"):
        monkeypatch.setattr(faults, patience, 0.05)


@pytest.fixture
def plain_port() -> Iterator[int]:
    with served(Answers) as port:
        yield port


@pytest.fixture
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def look(project: str = "some-project") -> object:
    with google_errors("Cloud Storage", "gs://weights"):
        return storage_client(project, AnonymousCredentials()).lookup_bucket("weights")


def list_mirror() -> object:
    with google_errors("Cloud Storage", "gs://weights"):
        bucket = MirrorBucket("gs://weights/models/a/b", "some-project")
        try:
            return bucket.objects()
        finally:
            bucket.close()


@pytest.mark.parametrize("ask", [look, list_mirror])
@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("https://nothing-of-that-name.invalid", "does not resolve"),
        ("https://127.0.0.1:{plain}", "does not speak TLS"),
        ("http://127.0.0.1:{free}", "refuses connections"),
    ],
)
def test_what_lasts_is_told_at_once(
    ask: Callable[[], object],
    endpoint: str,
    words: str,
    plain_port: int,
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint.format(plain=plain_port, free=free_port))
    with pytest.raises(UnreachableError) as raised:
        ask()
    assert words in raised.value.message
    assert raised.value.fix


def test_a_file_of_authorities_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "https://storage.example")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(InputError) as raised:
        look()
    assert raised.value.where == "REQUESTS_CA_BUNDLE"


def test_what_is_tried_again_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    class Busy(Answers):
        left = 1

        def do_GET(self) -> None:
            if Busy.left:
                Busy.left -= 1
                return self.send_error(503)
            return self.send_error(404)

    with served(Busy) as port, caplog.at_level(logging.WARNING):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        assert look() is None
    assert f"status 503 from 127.0.0.1:{port}; Google's client tries again" in caplog.text


def test_the_session_that_the_client_keeps_is_known() -> None:
    """Checks private names of google-cloud-storage and google-auth that the code relies on."""
    client = storage_client("some-project", AnonymousCredentials())
    assert type(client._http.get_adapter("https://storage.googleapis.com")).__name__ == "_Adapter"
    assert issubclass(UnreachableError, VertexVllmError)
