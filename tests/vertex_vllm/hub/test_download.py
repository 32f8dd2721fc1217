"""Ranged reads against a Hub and a CDN that break in every way that HTTP has."""

import gzip
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from vertex_vllm.errors import HubAccessError, LicenseNotAcceptedError, ServiceError
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.file_listing import HubFile

CANARY = "hf_canaryCanaryCanary"
SIGNATURE = "X-Amz-Signature=canarysignature"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATA = bytes(range(256)) * 10_000
FILE = HubFile("folder/model 1.safetensors", len(DATA), "a" * 64, "b" * 40)

# In the place of the whole file.
OTHER_BODIES = {
    "compressed": gzip.compress(DATA),
    "a page": b"<html>Log in to the network</html>",
    "longer": DATA + b"x",
    "shorter": DATA[:-1],
}


@dataclass
class Server:
    """Answers with `DATA`, or as the next of `faults` says, and records its requests."""

    faults: list[str] = field(default_factory=list)
    redirect_to: str = ""
    refusal: str = ""
    seen: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Method, path with query, Authorization, Range."""
    url: str = ""


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            asked = self.headers.get("Range", "")
            server.seen.append((self.command, self.path, self.headers.get("Authorization", ""), asked))
            if server.refusal:
                return self.empty(403, {"X-Error-Code": server.refusal})
            if server.redirect_to:
                return self.empty(302, {"Location": server.redirect_to})
            fault = server.faults.pop(0) if server.faults and self.command == "GET" else ""
            if fault.isdigit():
                return self.empty(int(fault), {"Retry-After": "0"})
            first, last = (int(end) for end in asked[6:].split("-")) if asked else (0, len(DATA) - 1)
            return self.body(first, last, bool(asked), fault)

        def empty(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def body(self, first: int, last: int, ranged: bool, fault: str) -> None:
            data = OTHER_BODIES.get(fault, DATA[first : last + 1])
            told = 0 if fault == "another range" else first
            self.send_response(206 if ranged and fault != "range ignored" else 200)
            self.send_header("Content-Range", f"bytes {told}-{told + len(data) - 1}/{len(DATA)}")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Content-Type", "text/html" if fault == "a page" else "application/octet-stream")
            if fault == "compressed":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            if self.command == "HEAD":
                return
            self.wfile.write(data[: len(data) // 2] if fault == "cut" else data)
            self.close_connection = fault == "cut"

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


class Listener(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Prints nothing: a reader that refuses an answer closes the connection."""


def serve() -> Iterator[Server]:
    server = Server()
    listener = Listener(("127.0.0.1", 0), handler(server))
    server.url = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
def cdn() -> Iterator[Server]:
    yield from serve()


@pytest.fixture
def hub(cdn: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for server in serve():
        server.redirect_to = f"{cdn.url}/blob?{SIGNATURE}"
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def reader(hub: Server) -> Iterator[RepoReader]:
    with RepoReader("org/model", COMMIT, CANARY) as opened:
        yield opened


def test_a_file_is_located_once_and_the_token_stays_with_the_hub(reader: RepoReader, hub: Server, cdn: Server) -> None:
    assert reader.read(FILE, 10, 100) == DATA[10:110]
    assert reader.read(FILE) == DATA
    resolved = f"/org/model/resolve/{COMMIT}/folder/model%201.safetensors"
    assert hub.seen == [("HEAD", resolved, f"Bearer {CANARY}", "")]
    assert cdn.seen == [
        ("GET", f"/blob?{SIGNATURE}", "", "bytes=10-109"),
        ("GET", f"/blob?{SIGNATURE}", "", ""),
    ]


def test_the_token_stays_with_the_hub_when_a_password_for_the_cdn_is_at_hand(
    hub: Server, cdn: Server, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w") as file:
        file.write("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", netrc)
    with RepoReader("org/model", COMMIT, None) as anonymous:
        assert anonymous.read(FILE, 0, 1) == DATA[:1]
    assert {authorization for _, _, authorization, _ in hub.seen + cdn.seen} == {""}


def test_a_small_file_comes_from_the_hub_itself(reader: RepoReader, hub: Server, cdn: Server) -> None:
    hub.redirect_to = ""
    assert reader.read(FILE) == DATA
    assert [method for method, *_ in hub.seen] == ["HEAD", "GET"]
    assert cdn.seen == []


def test_a_broken_connection_is_gone_on_with_where_it_broke(reader: RepoReader, cdn: Server) -> None:
    cdn.faults = ["cut"]
    assert reader.read(FILE) == DATA
    assert [asked for *_, asked in cdn.seen] == ["", f"bytes={len(DATA) // 2}-{len(DATA) - 1}"]


def test_every_byte_is_shown_once_and_in_order(reader: RepoReader, cdn: Server) -> None:
    cdn.faults = ["cut", "cut", "503"]
    arrived, shown = bytearray(len(DATA) - 1000), bytearray()
    reader.read_into(memoryview(arrived), FILE, 1000, shown.extend)
    assert shown == arrived == DATA[1000:]


@pytest.mark.parametrize("fault", ["500", "503", "429", "another range", "range ignored"])
def test_a_wrong_answer_is_asked_for_again(reader: RepoReader, cdn: Server, fault: str) -> None:
    cdn.faults = [fault]
    assert reader.read(FILE, 1000, 5000) == DATA[1000:6000]
    assert len(cdn.seen) == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("compressed", "sends the file compressed (gzip), though it was asked for as it is"),
        ("a page", f"sends {len(OTHER_BODIES['a page'])} bytes of text/html instead of {len(DATA)}"),
        ("longer", f"sends {len(DATA) + 1} bytes of application/octet-stream instead of {len(DATA)}"),
        ("shorter", f"sends {len(DATA) - 1} bytes of application/octet-stream instead of {len(DATA)}"),
    ],
)
def test_another_body_is_not_read_and_told_when_it_stays(
    reader: RepoReader, hub: Server, cdn: Server, fault: str, words: str
) -> None:
    cdn.faults = [fault]
    assert reader.read(FILE) == DATA
    assert [len(server.seen) for server in (hub, cdn)] == [2, 2], "a new URL"
    cdn.faults = [fault] * 20
    with pytest.raises(ServiceError) as raised:
        reader.read(FILE)
    assert raised.value.message == f"cannot be read: 127.0.0.1 {words}, 8 times"
    assert "proxy" in raised.value.fix


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_signed_url_that_has_run_out_is_asked_for_anew(
    reader: RepoReader, hub: Server, cdn: Server, status: str
) -> None:
    assert reader.read(FILE, 0, 10) == DATA[:10]
    cdn.faults = [status]
    assert reader.read(FILE, 10, 10) == DATA[10:20]
    assert len(hub.seen) == 2


@pytest.mark.parametrize("status", ["400", "404", "410", "416"])
def test_a_refusal_of_the_cdn_is_worth_a_new_url(reader: RepoReader, hub: Server, cdn: Server, status: str) -> None:
    cdn.faults = [status, status]
    assert reader.read(FILE, 0, 10) == DATA[:10]
    assert len(hub.seen) == 3


def test_what_the_cdn_never_has_is_an_error_that_hides_the_url(reader: RepoReader, hub: Server, cdn: Server) -> None:
    cdn.faults = ["404"] * 100
    with pytest.raises(ServiceError) as raised:
        reader.read(FILE)
    assert len(hub.seen) == 8
    assert str(raised.value) == (
        f"org/model@{COMMIT}: folder/model 1.safetensors: cannot be read: status 404 from 127.0.0.1, 8 times. "
        "The Hub gave a new URL each time. If a proxy is in between, let it pass this host unchanged; else try again "
        "later, and tell Hugging Face if it persists."
    )


@pytest.mark.parametrize(("code", "error"), [("GatedRepo", LicenseNotAcceptedError), ("", HubAccessError)])
def test_a_refusal_of_the_hub_is_told_as_what_it_is(
    reader: RepoReader, hub: Server, code: str, error: type[HubAccessError]
) -> None:
    hub.refusal = code or "Other"
    with pytest.raises(error) as raised:
        reader.read(FILE)
    assert CANARY not in repr(raised.value)


def test_neither_token_nor_signature_is_logged(
    reader: RepoReader, cdn: Server, caplog: pytest.LogCaptureFixture
) -> None:
    cdn.faults = ["503", "cut", "403"]
    with caplog.at_level(logging.DEBUG):
        assert reader.read(FILE) == DATA
    assert f"status 503 from {urlsplit(cdn.url).hostname}" in caplog.text
    assert "canarysignature" not in caplog.text
    assert CANARY not in caplog.text


def test_closing_ends_a_read_that_waits(reader: RepoReader, cdn: Server) -> None:
    cdn.faults = ["503"] * 1000
    threading.Timer(0.2, reader.close).start()
    with pytest.raises(ServiceError, match="others have failed"):
        reader.read(FILE)


def test_a_read_that_was_ended_is_not_told_as_a_failure(
    reader: RepoReader, cdn: Server, caplog: pytest.LogCaptureFixture
) -> None:
    cdn.faults = ["cut"]
    with pytest.raises(ServiceError, match="others have failed"):
        reader.read_into(memoryview(bytearray(FILE.size)), FILE, 0, lambda _: reader.close())
    assert caplog.messages == []
