"""One multipart upload over Cloud Storage's XML API: google-cloud-storage has no call for it that works without a file.

Reference: "XML API multipart uploads" in the Cloud Storage documentation.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import chain, repeat
from typing import Self
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

from vertex_vllm.error_data import RETRYABLE_STATUS
from vertex_vllm.errors import ServiceError
from vertex_vllm.google.storage_words import refused_by_storage, xml_words
from vertex_vllm.mirror.authorization import Authorization
from vertex_vllm.mirror.checksums import as_base64
from vertex_vllm.network.bulk_connections import Answer, Connections, Outgoing
from vertex_vllm.retries import TransientError, retry_after, with_retries

# Seconds. Completing "can take several minutes" (XML API, "Complete a multipart upload") without a byte.
_COMPLETE_SECONDS = 600.0
# A part has at least 5 MiB, the last one excepted, and there are at most 10,000 ("Quotas & limits").
MOST_PARTS = 9_000
_LONGEST_PAGE = 1_000
# Codes of 400 for a body that arrived damaged.
_DAMAGED = ("BadDigest", "CrcMismatch", "InvalidDigest", "IncompleteBody", "RequestTimeout")
_CONTENT_TYPE = {"Content-Type": "application/octet-stream"}


class UploadGoneError(Exception):
    """The upload no longer exists: it was completed, by this or another mirror, or aborted, or it expired."""


@dataclass(frozen=True)
class SentPart:
    """A part that Cloud Storage holds."""

    size: int
    """Bytes."""
    etag: str
    """Opaque by the documentation; so far the MD5 of its bytes, hexadecimal, in quotes."""


@dataclass(frozen=True)
class StorageServer:
    """Connections, credentials and patience for the XML API."""

    connections: Connections
    authorization: Authorization
    patience_seconds: float
    """Seconds of trying before a request is given up."""
    on_retry: Callable[[Exception], None]


@dataclass(frozen=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


class MultipartUpload:
    """An unfinished upload. Its object appears when it is completed, and not before.

    Every method raises ServiceError when Cloud Storage refuses or does not answer, and UploadGoneError.
    """

    def __init__(self, server: StorageServer, url: str, upload_id: str) -> None:
        self._server, self._url, self.id = server, url, upload_id
        self._where = f"gs:/{unquote(urlsplit(url).path)}"

    @classmethod
    def begin(cls, server: StorageServer, url: str, metadata: Mapping[str, str]) -> Self:
        """A new upload to the object at `url`, which will have `metadata`."""
        headers = {**_CONTENT_TYPE, "Content-Length": "0"}
        headers |= {f"x-goog-meta-{name}": value for name, value in metadata.items()}
        new = cls(server, url, "")
        new.id = _text(new._send("POST", "?uploads", headers=headers), "UploadId", new._where)
        return new

    def parts(self) -> dict[int, SentPart]:
        """Number → part, for all that have arrived."""
        found: dict[int, SentPart] = {}
        marker = 0
        while True:
            query = f"?max-parts={_LONGEST_PAGE}&part-number-marker={marker}&{self._id_query}"
            page = _parsed(self._send("GET", query), self._where)
            for part in page.iter("Part"):
                number = int(part.findtext("PartNumber", "0"))
                found[number] = SentPart(int(part.findtext("Size", "0")), part.findtext("ETag", ""))
            if page.findtext("IsTruncated") != "true" or not found:
                return found
            marker = max(found)

    def begin_put(self, number: int, length: int) -> "PartOnItsWay":
        """Begins to send part `number` (from 1 on), of `length` bytes; `put` ends it."""

        def begin() -> Outgoing:
            who = self._server.authorization.headers("PUT", self._url)
            return self._server.connections.begin("PUT", self._part_url(number), {**_CONTENT_TYPE, **who}, length)

        return PartOnItsWay(begin)

    def put(self, number: int, data: memoryview, crc32c: int, begun: "PartOnItsWay | None" = None) -> str:
        """Sends part `number` (from 1 on), unless `begun` did, until it has arrived intact. Returns its ETag."""
        headers = {"x-goog-hash": f"crc32c={as_base64(crc32c)}", **_CONTENT_TYPE}
        again = partial(self._exchange, "PUT", self._part_url(number), data, headers)
        exchanges = chain([partial(begun.reply, crc32c)] if begun else [], repeat(again))
        return str(self._tried("PUT", lambda: next(exchanges)()).headers["ETag"])

    def complete(self, etags: Mapping[int, str]) -> None:
        """Makes the object of its parts (number → ETag)."""
        body = ElementTree.Element("CompleteMultipartUpload")
        for number in sorted(etags):
            part = ElementTree.SubElement(body, "Part")
            ElementTree.SubElement(part, "PartNumber").text = str(number)
            ElementTree.SubElement(part, "ETag").text = etags[number]
        reply = self._send(
            "POST",
            f"?{self._id_query}",
            ElementTree.tostring(body),
            headers={"Content-Type": "application/xml"},
            stall_seconds=_COMPLETE_SECONDS,
        )
        _text(reply, "ETag", self._where)

    def abort(self) -> None:
        """Gives up: the parts are deleted. Does nothing about an upload that is gone."""
        try:
            self._send("DELETE", f"?{self._id_query}")
        except UploadGoneError:
            return

    @property
    def _id_query(self) -> str:
        return f"uploadId={quote(self.id, safe='')}"

    def _part_url(self, number: int) -> str:
        return f"{self._url}?partNumber={number}&{self._id_query}"

    def _send(
        self,
        method: str,
        query: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        stall_seconds: float | None = None,
    ) -> _Reply:
        return self._tried(
            method, lambda: self._exchange(method, self._url + query, body, headers or {}, stall_seconds)
        )

    def _tried(self, method: str, exchange: Callable[[], _Reply]) -> _Reply:
        """The reply, after retries. Any request may be repeated: a part replaces itself, a second upload is garbage."""

        def attempt() -> _Reply:
            if self._server.connections.closed:
                raise ServiceError("not sent: another transfer has failed", where=self._where)
            try:
                return self._accepted(method, exchange())
            except TransientError as error:
                self._server.on_retry(error)
                raise

        try:
            return with_retries(attempt, seconds=self._server.patience_seconds, waiting_for=self._where)
        except TransientError as error:
            raise ServiceError(
                f"Cloud Storage did not take {method}: {error}", where=self._where, fix=error.fix
            ) from None

    def _exchange(
        self,
        method: str,
        url: str,
        body: bytes | memoryview | None,
        headers: Mapping[str, str],
        stall_seconds: float | None = None,
    ) -> _Reply:
        who = self._server.authorization.headers(method, self._url)
        connections = self._server.connections
        with connections.request(method, url, {**headers, **who}, body, stall_seconds=stall_seconds) as answer:
            return _reply(answer)

    def _accepted(self, method: str, reply: _Reply) -> _Reply:
        if reply.status < HTTPStatus.BAD_REQUEST:
            return reply
        code = _code(reply)
        if reply.status in RETRYABLE_STATUS or code in _DAMAGED:
            throttled = reply.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
            said = f"status {reply.status} {code}".rstrip()
            raise TransientError(said, retry_after(reply.headers), throttled=throttled)
        if code == "NoSuchUpload":
            raise UploadGoneError
        request = f"Cloud Storage refused {method} with {reply.status} {code}".rstrip()
        raise refused_by_storage(xml_words(reply.status, reply.body), self._where, request)


class PartOnItsWay:
    """A part that is sent while it is still being read. It is the first attempt; its failure is reported at the end.

    A context manager: leaving it without a reply abandons the request.
    """

    def __init__(self, begin: Callable[[], Outgoing]) -> None:
        self._outgoing: Outgoing | None = None
        self._failure: TransientError | None = None
        try:
            self._outgoing = begin()
        except TransientError as error:
            self._failure = error

    def send(self, piece: memoryview) -> None:
        """Sends the next bytes, unless an earlier send has failed."""
        if self._outgoing is not None:
            try:
                self._outgoing.send(piece)
            except TransientError as error:
                self._failure, self._outgoing = error, None

    def reply(self, crc32c: int) -> _Reply:
        """The reply to the whole part. Raises TransientError if it failed, or if another CRC32C arrived."""
        if self._outgoing is None:
            raise self._failure or TransientError("told already")
        outgoing, self._outgoing = self._outgoing, None
        with outgoing.answer() as answer:
            reply = _reply(answer)
        if reply.status < HTTPStatus.BAD_REQUEST and _received_crc32c(reply) != as_base64(crc32c):
            raise TransientError("it is not known that the part arrived as it was sent")
        return reply

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._outgoing is not None:
            self._outgoing.abandon()


def _reply(answer: Answer) -> _Reply:
    return _Reply(answer.status, answer.headers, answer.read())


def _received_crc32c(reply: _Reply) -> str:
    """CRC32C that Cloud Storage returns for a part that it accepted (google-cloud-storage relies on it, too); else
    empty."""
    found = re.search(r"\bcrc32c=([^,\s]+)", reply.headers.get("x-goog-hash", ""))
    return found[1] if found else ""


def _text(reply: _Reply, tag: str, where: str) -> str:
    text = _parsed(reply, where).findtext(tag)
    if not text:
        raise ServiceError(f"Cloud Storage answered without {tag}: {_code(reply)}", where=where)
    return text


def _parsed(reply: _Reply, where: str) -> ElementTree.Element:
    """The document, its elements without their namespace. Raises ServiceError."""
    try:
        root = ElementTree.fromstring(reply.body)
    except ElementTree.ParseError:
        raise ServiceError("Cloud Storage answered with something that is not XML", where=where) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _code(reply: _Reply) -> str:
    """The service's name for the error; empty when it gives none."""
    try:
        return ElementTree.fromstring(reply.body).findtext("Code", "")
    except ElementTree.ParseError:
        return ""
