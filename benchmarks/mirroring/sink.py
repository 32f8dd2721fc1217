"""The part of Cloud Storage that its clients and the mirror use: arriving bytes are checked and dropped."""

import base64
import fnmatch
import hashlib
import itertools
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from crc32c import crc32c

from benchmarks.mirroring.content import File, md5
from benchmarks.mirroring.names import BUCKET
from benchmarks.mirroring.server import Answer, Request, as_json
from vertex_vllm.mirror.checksums import combine_crc32c

# Objects that are kept, because they are read again: manifests and journals.
_KEPT_BYTES = 1 << 20
# First bytes of a piece of a file that identify its position.
_HEAD_BYTES = 64
# Namespace of the XML API's answers, as in S3.
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass
class _Upload:
    name: str
    metadata: dict[str, str]
    parts: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Number of the part → its bytes and CRC32C."""
    received: int = 0
    crc32c: int = 0
    head: bytes = b""
    """The first bytes of its content."""


class Sink:
    """Counts received bytes, and records in `faults` everything that is wrong."""

    def __init__(self, files: Sequence[File]) -> None:
        self._wanted = {file.path: file for file in files}
        self._size = files[0].size
        self._objects: dict[str, dict[str, Any]] = {}
        self._contents: dict[str, bytes] = {}
        self._uploads: dict[str, _Upload] = {}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self.origin = ""
        """Scheme, host and port for clients."""
        self.received = 0
        self.faults: list[str] = []

    def report(self) -> dict[str, object]:
        """Counts since the last report, which are then reset."""
        whole = [name for name in self._objects if name.rpartition("/")[2] in self._wanted]
        told = {"received": self.received, "whole_files": len(whole), "faults": self.faults}
        self.received, self.faults = 0, []
        return told

    def forget(self) -> None:
        self._objects, self._contents, self._uploads = {}, {}, {}

    def __call__(self, request: Request) -> Answer:
        path = request.path
        if path.startswith("/raw/"):
            return self._raw(path.removeprefix("/raw/"), request)
        if path.startswith(("/upload/storage/v1/b/", "/resumable/upload/storage/v1/b/")):  # the latter by gcloud
            return self._json_upload(request)
        path = path.removeprefix("/download")  # of contents
        if path.startswith(f"/storage/v1/b/{BUCKET}/o/"):
            return self._json_object(path.removeprefix(f"/storage/v1/b/{BUCKET}/o/"), request)
        if path == f"/storage/v1/b/{BUCKET}/o":
            return self._list(request.query)
        if path.startswith(f"/storage/v1/b/{BUCKET}"):
            return as_json({"kind": "storage#bucket", "name": BUCKET, "location": "US", "storageClass": "STANDARD"})
        return self._xml(path.removeprefix(f"/{BUCKET}/"), request)

    def _receive(self, request: Request, start: int = 0) -> tuple[int, int, bytes]:
        """Length in bytes and CRC32C of the body, and its first bytes."""
        count, checksum, head = 0, start, b""
        for piece in request.pieces():
            head = head or bytes(piece[:_HEAD_BYTES])
            checksum = crc32c(piece, checksum)
            count += len(piece)
        with self._lock:
            self.received += count
        return count, checksum, head

    def _make(self, name: str, size: int, checksum: int, metadata: Mapping[str, str]) -> dict[str, Any]:
        wanted = self._wanted.get(name.rpartition("/")[2])
        if wanted is not None and (size, checksum) != (wanted.size, wanted.crc32c):
            self.faults.append(f"{name}: {size} bytes with CRC32C {checksum}, not {wanted.size} with {wanted.crc32c}")
        resource = {
            "kind": "storage#object",
            "bucket": BUCKET,
            "name": name,
            "size": str(size),
            "generation": str(next(self._ids)),
            "metageneration": "1",
            "crc32c": _base64(checksum),
            "metadata": dict(metadata),
            "storageClass": "STANDARD",
        }
        self._objects[name] = resource
        return resource

    def _raw(self, name: str, request: Request) -> Answer:
        size, checksum, _ = self._receive(request)
        self._make(name, size, checksum, {})
        return Answer()

    def _list(self, query: Mapping[str, str]) -> Answer:
        names = [name for name in self._objects if name.startswith(query.get("prefix", ""))]
        glob = query.get("matchGlob", "*")
        return as_json({"items": [self._objects[name] for name in names if fnmatch.fnmatchcase(name, glob)]})

    def _compose(self, name: str, request: Request) -> Answer:
        """Joins objects: gcloud uploads large files in pieces that are objects."""
        document = json.loads(request.body())
        size = checksum = 0
        for piece in document["sourceObjects"]:
            found = self._objects[piece["name"]]
            length = int(found["size"])
            of_piece = int.from_bytes(base64.b64decode(found["crc32c"]), "big")
            size, checksum = size + length, combine_crc32c(checksum, of_piece, length)
        return as_json(self._make(name, size, checksum, document.get("destination", {}).get("metadata") or {}))

    def _json_object(self, name: str, request: Request) -> Answer:
        if name.endswith("/compose"):
            return self._compose(name.removesuffix("/compose"), request)
        if name not in self._objects:
            return as_json({"error": {"code": 404, "message": "Not Found"}}, 404)
        if request.method == "DELETE":
            self._objects.pop(name)
            return Answer(204)
        if request.query.get("alt") == "media":
            return Answer(200, {"X-Goog-Generation": self._objects[name]["generation"]}, self._contents[name])
        return as_json(self._objects[name])

    def _json_upload(self, request: Request) -> Answer:
        """An upload in one request, or the start of a resumable session."""
        if request.query.get("uploadType") == "multipart":
            return self._related(request)
        if request.method == "POST":
            about = json.loads(request.body() or b"{}")
            name = str(request.query.get("name") or about["name"])
            upload_id = str(next(self._ids))
            self._uploads[upload_id] = _Upload(name, about.get("metadata", {}))
            location = f"{self.origin}{request.path}?uploadType=resumable&upload_id={upload_id}"
            return Answer(200, {"Location": location, "X-GUploader-UploadID": upload_id})
        upload = self._uploads[request.query["upload_id"]]
        count, upload.crc32c, head = self._receive(request, upload.crc32c)
        upload.received, upload.head = upload.received + count, upload.head or head
        total = request.headers.get("content-range", "").rpartition("/")[2]
        if total == "*" and count:
            return Answer(308, {"Range": f"bytes=0-{upload.received - 1}"})
        if total.isdigit() and upload.received < int(total):
            return Answer(308, {"Range": f"bytes=0-{upload.received - 1}"} if upload.received else {})
        resource = self._make(upload.name, upload.received, upload.crc32c, upload.metadata)
        resource["md5Hash"] = md5(upload.head, upload.received, self._size)
        return as_json(resource)

    def _related(self, request: Request) -> Answer:
        boundary = re.search(r"boundary=['\"]?([^'\";]+)", request.headers["content-type"])
        assert boundary is not None
        body = request.body()
        self.received += len(body)
        _, about, content, _ = body.split(b"--" + boundary[1].encode(), 3)
        document = json.loads(_after_headers(about))
        data = _after_headers(content)
        name = str(document["name"])
        matches = request.query.get("ifGenerationMatch")
        if matches is not None and str(self._objects.get(name, {}).get("generation", "0")) != matches:
            return as_json({"error": {"code": 412, "message": "Precondition Failed"}}, 412)
        if len(data) <= _KEPT_BYTES:
            self._contents[name] = data
        resource = self._make(name, len(data), crc32c(data), document.get("metadata") or {})
        resource["md5Hash"] = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        return as_json(resource)

    def _xml(self, name: str, request: Request) -> Answer:
        query = request.query
        if request.method == "POST" and "uploads" in query:
            upload_id = str(next(self._ids))
            meta = {
                key.removeprefix("x-goog-meta-"): value for key, value in request.headers.items() if "-meta-" in key
            }
            self._uploads[upload_id] = _Upload(name, meta)
            return _document("InitiateMultipartUploadResult", {"Bucket": BUCKET, "Key": name, "UploadId": upload_id})
        upload = self._uploads.get(query.get("uploadId", ""))
        if upload is None:
            return Answer(404, {}, b"<Error><Code>NoSuchUpload</Code></Error>")
        if request.method == "PUT":
            return self._part(upload, int(query["partNumber"]), request)
        if request.method == "GET":
            return _document("ListPartsResult", {"IsTruncated": "false"})
        self._uploads.pop(query["uploadId"])
        if request.method == "DELETE":
            return Answer(204)
        size = checksum = 0
        for _, (length, of_part) in sorted(upload.parts.items()):
            size, checksum = size + length, combine_crc32c(checksum, of_part, length)
        self._make(name, size, checksum, upload.metadata)
        return _document("CompleteMultipartUploadResult", {"Key": name, "ETag": '"x"'})

    def _part(self, upload: _Upload, number: int, request: Request) -> Answer:
        count, checksum, _ = self._receive(request)
        told = re.search(r"crc32c=([\w+/=]+)", request.headers.get("x-goog-hash", ""))
        if told is not None and int.from_bytes(base64.b64decode(told[1]), "big") != checksum:
            self.faults.append(f"{upload.name}: part {number} is not what its sender says")
            return Answer(400, {}, b"<Error><Code>BadDigest</Code></Error>")
        upload.parts[number] = count, checksum
        return Answer(200, {"ETag": f'"{checksum:032x}"', "x-goog-hash": f"crc32c={_base64(checksum)}"})


def _after_headers(part: bytes) -> bytes:
    """Body of a part of a multipart message; clients end lines in one way or the other."""
    headers = re.match(rb".*?(\r?\n)\1", part, re.DOTALL)
    assert headers is not None
    return re.sub(rb"\r?\n\Z", b"", part[headers.end() :])


def _base64(checksum: int) -> str:
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()


def _document(root: str, fields: Mapping[str, str]) -> Answer:
    element = ElementTree.Element(root, xmlns=_NAMESPACE)
    for name, text in fields.items():
        ElementTree.SubElement(element, name).text = text
    return Answer(200, {"Content-Type": "application/xml"}, ElementTree.tostring(element))
