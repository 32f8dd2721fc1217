"""The chunk store as a source, and what happens when it does not answer. No real store is available here."""

import json
import logging
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.vertex_vllm.mirror.conftest import SharedModel
from vertex_vllm.cli import main
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.xet import XetReader, XetUnusableError, _watched

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATA = bytes(range(256)) * 20_000
FILE = HubFile("model.safetensors", len(DATA), "a" * 64, "b" * 40)


@pytest.fixture
def silent_store() -> Iterator[str]:
    """Accepts connections and never answers, as the real store was seen to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def hub(silent_store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A Hub whose only file is in that store, and its requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(200, b"", {"X-Xet-Hash": "c" * 64})

        def do_GET(self) -> None:
            if "xet-read-token" in self.path:
                given = {"accessToken": "x", "exp": 4102444800, "casUrl": silent_store}
                return self.answer(200, json.dumps(given).encode(), {"Content-Type": "application/json"})
            first, last = (int(end) for end in self.headers["Range"].removeprefix("bytes=").split("-"))
            ranged = {"Content-Range": f"bytes {first}-{last}/{len(DATA)}"}
            return self.answer(206, DATA[first : last + 1], ranged)

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            asked.append(f"{self.command} {self.path.rpartition('/')[2]}")
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield asked
    server.shutdown()
    server.server_close()


def test_a_store_that_is_silent_is_given_up_for_ranges_for_good(
    hub: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []
    with RepoReader("org/model", COMMIT, "hf_canaryCanaryCanary") as ranges, caplog.at_level(logging.WARNING):
        reader = XetReader(ranges, stall_seconds=1.0)
        for start in (0, 3_000_000):
            data = bytearray(2_000_000)
            reader.read_into(memoryview(data), FILE, start, lambda piece: seen.append(len(piece)))
            assert data == DATA[start : start + len(data)]
    assert not reader.usable
    assert sum(seen) == 4_000_000
    assert "Xet is given up for ranges over HTTP" in caplog.text
    assert "hf_canary" not in caplog.text
    assert hub.count("GET model.safetensors") == 2
    assert hub.count("HEAD model.safetensors") == 1


def fail() -> Iterator[bytes]:
    yield b"a"
    raise RuntimeError("no such chunk at https://somewhere/?signature=secret")


STREAMS: dict[str, tuple[Callable[[], Iterator[bytes]], str]] = {
    "fails": (fail, "RuntimeError"),
    "cannot be opened": (lambda: next(iter([])), "StopIteration"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_fails_is_told_without_what_it_says(name: str) -> None:
    opened, words = STREAMS[name]
    with pytest.raises(XetUnusableError) as raised:
        list(_watched(opened, 5.0))
    assert str(raised.value) == words


def test_chunks_come_in_order() -> None:
    chunks = [bytes([number]) for number in range(50)]
    assert list(_watched(lambda: iter(chunks), 5.0)) == chunks


def test_what_is_not_in_the_store_comes_in_ranges(shared_model: SharedModel, project: str) -> None:
    place = shared_model.place()
    main(["mirror", shared_model.id, "--to", place, "--project", project, "--transport", "xet"])
    shared_model.assert_published(place)
