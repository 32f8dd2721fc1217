"""A Hub that cannot be reached, in every way that networks have: the error names the cause and the remedy."""

import errno
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import BadStatusLine
from pathlib import Path

import pytest
from huggingface_hub.utils import close_session

from localcloud.front.ca import CertificateAuthority
from tests.vertex_vllm.network.odd_hosts import AUTHORITIES, PROXIES, Answers, served
from vertex_vllm import retries
from vertex_vllm.errors import InputError, ServiceError, UnreachableError, VertexVllmError
from vertex_vllm.hub import hub_client
from vertex_vllm.hub.access import check_access
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.file_listing import HubFile, list_files
from vertex_vllm.network import faults
from vertex_vllm.retries import TransientError, saying_what_lasts, with_retries

COMMIT = "0" * 40
FILE = HubFile("config.json", 10, "a" * 64, "b" * 40)


def ask_api() -> object:
    return check_access("org/model", "main", None)


def ask_listing() -> object:
    return list_files("org/model", COMMIT, None)


def read_file() -> object:
    with RepoReader("org/model", COMMIT, None) as reader:
        return reader.read(FILE)


ASKED = pytest.mark.parametrize("ask", [ask_api, ask_listing, read_file])


@pytest.fixture(autouse=True)
def no_way_but_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy, the usual authorities, and no cached answer of a Hub."""
    for name in (*PROXIES, *AUTHORITIES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hub_client, "_ANSWERED", set())
    # Tests count tries, not seconds.
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.02)
    for patience in ("UNREACHABLE_SECONDS", "_REFUSED_SECONDS", "_CLOSED_SECONDS"):
        monkeypatch.setattr(faults, patience, 0.05)
    close_session()
    yield
    close_session()


@pytest.fixture
def plain_port() -> Iterator[int]:
    with served(Answers) as port:
        yield port


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Port of an HTTPS server with a certificate for the given host, signed by an untrusted authority."""
    authority = CertificateAuthority(tmp_path)
    with ExitStack() as stack:
        yield lambda host: stack.enter_context(served(Answers, authority.server_context(host, ("http/1.1",))))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def told(ask: Callable[[], object]) -> VertexVllmError:
    with pytest.raises(VertexVllmError) as raised:
        ask()
    return raised.value


@ASKED
def test_an_authority_that_nobody_trusts(
    ask: Callable[[], object],
    tls: Callable[[str], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"https://localhost:{tls('localhost')}")
    error = told(ask)
    assert type(error) is UnreachableError
    assert "its certificate is not trusted" in error.message
    assert "SSL_CERT_FILE and REQUESTS_CA_BUNDLE" in error.fix
    assert "trying again" not in caplog.text


@ASKED
def test_a_certificate_for_another_host(
    ask: Callable[[], object], tls: Callable[[str], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = tls("other.example")
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "bundle.pem"))
    monkeypatch.setenv("HF_ENDPOINT", f"https://localhost:{port}")
    error = told(ask)
    assert type(error) is UnreachableError
    assert "its certificate is for another host" in error.message


@ASKED
@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("https://nothing-of-that-name.invalid", "does not resolve"),
        ("https://127.0.0.1:{plain}", "does not speak TLS"),
        ("http://localhost:{tls}", "closes the connection without an answer"),
        ("http://127.0.0.1:{free}", "refuses connections: nothing listens on that port"),
    ],
)
def test_a_host_that_is_not_there_or_is_another(
    ask: Callable[[], object],
    endpoint: str,
    words: str,
    plain_port: int,
    free_port: int,
    tls: Callable[[str], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint.format(plain=plain_port, free=free_port, tls=tls("localhost")))
    error = told(ask)
    assert isinstance(error, ServiceError)
    assert words in error.message
    assert error.fix


@ASKED
@pytest.mark.parametrize(
    "endpoint",
    ["hf-mirror.com", "ftp://hf.co", "https://", "https://hf.co:port", "https://a b", "https:/hf.co", "//hf.co"],
)
def test_an_address_that_is_none(ask: Callable[[], object], endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    error = told(ask)
    assert (type(error), error.where) == (InputError, "HF_ENDPOINT")
    assert "https://huggingface.co" in error.fix


@ASKED
@pytest.mark.parametrize(
    ("refusal", "words", "fix"),
    [
        (
            "407 Proxy Authentication Required",
            "answers 407 Proxy Authentication Required for hf.example",
            "USER:PASSWORD",
        ),
        ("403 Forbidden", "answers 403 Forbidden for hf.example", "NO_PROXY"),
        ("405 Method Not Allowed", "answers 405 Method Not Allowed for hf.example", "NO_PROXY"),
    ],
)
def test_a_proxy_that_refuses(
    ask: Callable[[], object], refusal: str, words: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hf.example")
    with served(type("Refusing", (Answers,), {"refusal": refusal})) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:canary@127.0.0.1:{port}")
        error = told(ask)
    assert type(error) is UnreachableError
    assert words in error.message
    assert fix in error.fix
    assert "canary" not in str(error)


@ASKED
def test_a_proxy_that_is_not_there(ask: Callable[[], object], free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hf.example")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port}")
    assert f"the proxy 127.0.0.1:{free_port} refuses connections" in told(ask).message


@ASKED
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://host:port", "https://"])
def test_a_proxy_s_address_that_is_none(ask: Callable[[], object], proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hf.example")
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = told(ask)
    assert (type(error), error.where) == (InputError, "HTTPS_PROXY")


@ASKED
@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_of_no_use(
    ask: Callable[[], object], name: str, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv(name, str(bundle))
    monkeypatch.setenv("HF_ENDPOINT", "https://hf.example")
    error = told(ask)
    assert (type(error), error.where) == (InputError, name)
    assert str(bundle) in error.message


def test_a_page_instead_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    class Page(Answers):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Log in to the network</html>")

    with served(Page) as port:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
        error = told(ask_api)
    assert "does not answer as the Hub does" in error.message


def test_a_hub_that_has_answered_is_waited_for(
    plain_port: int, free_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its first answer proves address and authorities right; a connection refused later is its restart."""
    monkeypatch.setattr(hub_client, "_PATIENCE", 0.5)
    endpoint = f"http://127.0.0.1:{free_port}"
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setattr(hub_client, "_ANSWERED", {endpoint})
    with caplog.at_level(logging.WARNING):
        told(ask_api)
    assert f"the Hugging Face Hub at {endpoint}" in caplog.text
    assert "trying again in" in caplog.text


def test_each_wait_is_said_and_a_long_one_more_than_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retries, "_LINE_SECONDS", 0.02)
    monkeypatch.setattr(retries, "_SAME_LINE_SECONDS", 0.0)
    errors = [TransientError("status 503 from hub", retry_after=0.1)]

    def target() -> str:
        if errors:
            raise errors.pop()
        return "answer"

    with caplog.at_level(logging.WARNING):
        assert with_retries(target, seconds=60, waiting_for="model.safetensors") == "answer"
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "model.safetensors: status 503 from hub; trying again in 0.1 s, giving up after another 60 s"
    assert len(lines) > 1


class ConnectTimeout(Exception):
    """As httpx and requests name it."""


@pytest.mark.parametrize(
    ("error", "words", "lasts"),
    [
        (ConnectTimeout(), "hub.example did not take a connection", False),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no way to hub.example: No route to host", False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "does not resolve (Temporary failure)", False),
        (ConnectionResetError(), "closes the connection without an answer", False),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] x"), "refuses the TLS handshake", True),
        (TimeoutError(), "TimeoutError at hub.example", False),
        (BadStatusLine("SSH-2.0-OpenSSH_9"), "hub.example does not speak HTTP", True),
        (BadStatusLine("\x15\x03\x01"), "hub.example speaks TLS", True),
        (RuntimeError("outer", ConnectionRefusedError()), "refuses connections", False),
    ],
)
def test_a_fault_is_told_by_its_cause(error: Exception, words: str, lasts: bool) -> None:
    fault = faults.network_fault(error, "https://hub.example/secret?token=canary")
    assert words in fault.message
    assert fault.lasts == lasts
    assert "canary" not in f"{fault}"


def test_a_request_without_an_answer_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(retries, "_LINE_SECONDS", 0.01)
    said = threading.Event()
    monkeypatch.setattr(logging.getLogger("vertex_vllm.retries"), "handlers", [_Setting(said)])
    with saying_what_lasts("the Hub"):
        assert said.wait(10)


class _Setting(logging.Handler):
    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def emit(self, record: logging.LogRecord) -> None:
        self._event.set()
