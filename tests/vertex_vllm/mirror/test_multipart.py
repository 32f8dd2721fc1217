"""A part that is sent while it is read, to services with several kinds of answers."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.waiting import PATIENCE_SECONDS
from vertex_vllm.errors import ServiceError
from vertex_vllm.mirror.authorization import Authorization
from vertex_vllm.mirror.checksums import as_base64, extend_crc32c
from vertex_vllm.mirror.multipart import MultipartUpload, StorageServer
from vertex_vllm.network.bulk_connections import Connections

PART = memoryview(bytes(range(256)) * 1000)
CRC32C = extend_crc32c(PART)
HASH, MD5 = f"crc32c={as_base64(CRC32C)}", "md5=XUFAKrxLKna5cZ2REBfFkg=="


class Service(ThreadingHTTPServer):
    """Answers each part with the next of `hashes`, a header each, and records the parts."""

    def __init__(self, hashes: list[list[str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Part)
        self.hashes = hashes
        self._received: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()

    def note(self, body: int, told: str) -> None:
        self._received.put((body, told))

    def received(self, count: int) -> list[tuple[int, str]]:
        """Bytes of each body, and the hash that came before it."""
        return [self._received.get(timeout=PATIENCE_SECONDS) for _ in range(count)]


class _Part(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.note(len(body), self.headers.get("x-goog-hash", ""))
        if len(body) < len(PART):
            return
        self.send_response(200)
        for told in self.server.hashes.pop(0):
            self.send_header("x-goog-hash", told)
        self.send_header("ETag", '"etag"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody reads it."""


@contextmanager
def service(*hashes: list[str]) -> Iterator[Service]:
    server = Service(list(hashes))
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def connections() -> Iterator[Connections]:
    opened = Connections(5.0)
    yield opened
    opened.close()


@pytest.fixture
def upload_to(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> Callable[[Service], MultipartUpload]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1")  # No credentials.

    def upload(server: Service) -> MultipartUpload:
        where = StorageServer(connections, Authorization(), 20.0, lambda error: None)
        return MultipartUpload(where, f"http://127.0.0.1:{server.server_address[1]}/bucket/object", "id")

    return upload


def send(upload: MultipartUpload) -> str:
    with upload.begin_put(1, len(PART)) as begun:
        for start in range(0, len(PART), 100_000):
            begun.send(PART[start : start + 100_000])
        return upload.put(1, PART, CRC32C, begun)


@pytest.mark.parametrize("told", [[HASH], [HASH, MD5], [f"{MD5},{HASH}"]])
def test_what_is_told_to_have_arrived_is_not_sent_again(
    upload_to: Callable[[Service], MultipartUpload], told: list[str]
) -> None:
    with service(told) as server:
        assert send(upload_to(server)) == '"etag"'
        assert server.received(1) == [(len(PART), "")]


@pytest.mark.parametrize("told", [[], ["crc32c=AAAAAA=="], [MD5]])
def test_what_is_not_known_to_have_arrived_is_sent_with_its_hash(
    upload_to: Callable[[Service], MultipartUpload], told: list[str]
) -> None:
    with service(told, told) as server:
        assert send(upload_to(server)) == '"etag"'
        assert server.received(2) == [(len(PART), ""), (len(PART), HASH)]


def test_a_part_that_cannot_be_read_is_broken_off(upload_to: Callable[[Service], MultipartUpload]) -> None:
    def fail(upload: MultipartUpload) -> None:
        with upload.begin_put(1, len(PART)) as begun:
            begun.send(PART[:1000])
            raise ConnectionError("the source is gone")

    with service() as server:
        with pytest.raises(ConnectionError, match="the source is gone"):
            fail(upload_to(server))
        assert server.received(1) == [(1000, "")]


def test_a_part_is_not_sent_again_once_others_have_failed(
    upload_to: Callable[[Service], MultipartUpload], connections: Connections
) -> None:
    with service() as server:
        upload = upload_to(server)
        with upload.begin_put(1, len(PART)) as begun:
            begun.send(PART[:1000])
            connections.close()
            begun.send(PART[1000:])
            with pytest.raises(ServiceError, match="another transfer has failed"):
                upload.put(1, PART, CRC32C, begun)
        assert server.received(1) == [(1000, "")]
