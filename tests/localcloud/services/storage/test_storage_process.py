"""The server as a process: killed in the middle of work, and watched for its memory."""

import random
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

import localcloud
from tests.waiting import wait_until

PACKAGES = Path(localcloud.__file__).parents[1]
BLOCK = 256 * 1024


@dataclass
class Server:
    process: subprocess.Popen
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def peak_memory(self) -> int:
        """Peak of resident memory so far, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024

    def client(self) -> storage.Client:
        return storage.Client("p", AnonymousCredentials(), client_options={"api_endpoint": self.url})


@contextmanager
def running(data_dir: Path) -> Iterator[Server]:
    program = [sys.executable, str(Path(__file__).with_name("storage_server.py")), str(data_dir)]
    environment = {"PYTHONPATH": str(PACKAGES)}
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield Server(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def stored_files(data_dir: Path) -> list[bytes]:
    return [path.read_bytes() for path in (data_dir / "bytes").glob("*/*")]


def half_sent(server: Server, head: str, data: bytes) -> socket.socket:
    """Sends a request's head and half of its body, and keeps the connection open."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(head.encode() + f"Host: x\r\nContent-Length: {len(data)}\r\n\r\n".encode())
    connection.sendall(data[: len(data) // 2])
    return connection


def wait_for_bytes(data_dir: Path, count: int) -> None:
    wait_until(lambda: sum(path.stat().st_size for path in (data_dir / "bytes").glob("*/*")) >= count)


def test_a_killed_server_loses_nothing_it_confirmed_and_keeps_nothing_half(tmp_path):
    data = random.Random(1).randbytes(16 << 20)
    with running(tmp_path) as server:
        bucket = server.client().create_bucket("survivors")
        bucket.blob("replaced").upload_from_string("before")
        bucket.blob("kept").upload_from_string("kept")
        head = "POST /upload/storage/v1/b/survivors/o?uploadType=media&name={0} HTTP/1.1\r\n"
        with half_sent(server, head.format("replaced"), data), half_sent(server, head.format("new"), data):
            wait_for_bytes(tmp_path, 8 << 20)
            server.kill()
    with running(tmp_path) as server:
        bucket = server.client().bucket("survivors")
        assert {blob.name: blob.download_as_bytes() for blob in bucket.list_blobs()} == {
            "kept": b"kept",
            "replaced": b"before",
        }
        assert sorted(stored_files(tmp_path)) == [b"before", b"kept"]
        bucket.blob("new").upload_from_string("after the restart")
        assert bucket.get_blob("new").generation > bucket.get_blob("kept").generation


def test_a_resumable_upload_goes_on_after_a_kill(tmp_path):
    data = random.Random(2).randbytes(8 << 20)
    with running(tmp_path) as server:
        server.client().create_bucket("survivors")
        asked = {"uploadType": "resumable", "name": "object"}
        answer = requests.post(f"{server.url}/upload/storage/v1/b/survivors/o", params=asked)
        path = answer.headers["location"].removeprefix(server.url)
        head = f"PUT {path} HTTP/1.1\r\nContent-Range: bytes 0-{len(data) - 1}/{len(data)}\r\n"
        with half_sent(server, head, data):
            wait_for_bytes(tmp_path, 2 << 20)
            server.kill()
    with running(tmp_path) as server:
        location = server.url + path
        status = requests.put(location, headers={"content-range": "bytes */*"}, allow_redirects=False)
        persisted = int(status.headers["range"].removeprefix("bytes=0-")) + 1
        assert persisted >= 2 << 20
        assert persisted % BLOCK == 0
        content_range = f"bytes {persisted}-{len(data) - 1}/{len(data)}"
        finished = requests.put(location, data=data[persisted:], headers={"content-range": content_range})
        assert finished.status_code == 200
        assert server.client().bucket("survivors").blob("object").download_as_bytes() == data


def test_a_multipart_upload_goes_on_after_a_kill(tmp_path):
    part = random.Random(3).randbytes(5 << 20)
    with running(tmp_path) as server:
        server.client().create_bucket("survivors")
        answer = requests.post(f"{server.url}/survivors/object?uploads")
        upload_id = re.search("<UploadId>(.*)</UploadId>", answer.text).group(1)
        first = requests.put(f"{server.url}/survivors/object?partNumber=1&uploadId={upload_id}", data=part)
        with half_sent(server, f"PUT /survivors/object?partNumber=2&uploadId={upload_id} HTTP/1.1\r\n", part):
            wait_for_bytes(tmp_path, 6 << 20)
            server.kill()
    with running(tmp_path) as server:
        url = f"{server.url}/survivors/object"
        assert re.findall(r"<PartNumber>(\d+)", requests.get(f"{url}?uploadId={upload_id}").text) == ["1"]
        second = requests.put(f"{url}?partNumber=2&uploadId={upload_id}", data=b"end")
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{answer.headers['etag']}</ETag></Part>"
            for number, answer in ((1, first), (2, second))
        )
        complete = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
        assert requests.post(f"{url}?uploadId={upload_id}", data=complete).ok
        assert requests.get(url).content == part + b"end"


def test_a_download_that_its_client_leaves_lets_the_bytes_go(tmp_path):
    with running(tmp_path) as server:
        bucket = server.client().bucket("left-alone")
        bucket.soft_delete_policy.retention_duration_seconds = 0  # Nothing else keeps the bytes of deleted objects.
        bucket.create()
        bucket.blob("object").upload_from_string(bytes(24 << 20))
        with requests.get(f"{server.url}/left-alone/object", stream=True) as answer:
            answer.raw.read(1000)
            bucket.blob("object").delete()
            assert stored_files(tmp_path) == [bytes(24 << 20)]
        wait_until(lambda: not stored_files(tmp_path))


def body_of(size: int) -> Iterator[bytes]:
    piece = random.Random(4).randbytes(1 << 20)
    for _ in range(size // len(piece)):
        yield piece


@pytest.mark.parametrize(
    "way", [*(pytest.param(way, marks=pytest.mark.slow) for way in ("media", "resumable")), "part"]
)
def test_memory_stays_flat_while_300_mb_go_up_and_down(tmp_path, way):
    size = 300 << 20
    with running(tmp_path) as server, requests.Session() as http:
        server.client().create_bucket("large")
        http.get(f"{server.url}/storage/v1/b/large")
        before = server.peak_memory()
        url = f"{server.url}/large/object"
        match way:
            case "media":
                upload = f"{server.url}/upload/storage/v1/b/large/o?uploadType=media&name=object"
                assert http.post(upload, data=body_of(size)).ok
            case "resumable":
                start = f"{server.url}/upload/storage/v1/b/large/o?uploadType=resumable&name=object"
                assert http.put(http.post(start).headers["location"], data=body_of(size)).ok
            case "part":
                upload_id = re.search("<UploadId>(.*)</UploadId>", http.post(f"{url}?uploads").text).group(1)
                etag = http.put(f"{url}?partNumber=1&uploadId={upload_id}", data=body_of(size)).headers["etag"]
                part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
                complete = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"
                assert http.post(f"{url}?uploadId={upload_id}", data=complete).ok
        with http.get(url, stream=True) as answer:
            assert sum(len(piece) for piece in answer.iter_content(1 << 20)) == size
        assert server.peak_memory() - before < 32 << 20
