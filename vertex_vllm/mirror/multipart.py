"""One multipart upload over Cloud Storage's XML API: google-cloud-storage has no call for it that works without a file.

Reference: "XML API multipart uploads" in the Cloud Storage documentation.
"""

from collections.abc import Mapping
from urllib.parse import quote
from xml.etree import ElementTree

import requests

from vertex_vllm.errors import ServiceError
from vertex_vllm.mirror.checksums import crc32c

# Seconds to connect and without a byte; completing "can take several minutes" (XML API, "Complete a multipart upload").
_TIMEOUT = (10, 120)
_COMPLETE_TIMEOUT = (10, 600)
# A part has at least 5 MiB, the last one excepted, and there are at most 10,000 ("Quotas & limits").
MOST_PARTS = 9_000


class MultipartUpload:
    """An upload under way. Its object appears when it is completed, and not before."""

    def __init__(self, session: requests.Session, url: str, metadata: Mapping[str, str]) -> None:
        """Begins an upload to the object at `url`, which will have `metadata`. Raises ServiceError."""
        self._session, self._url = session, url
        headers = {"Content-Type": "application/octet-stream", "Content-Length": "0"}
        headers |= {f"x-goog-meta-{name}": value for name, value in metadata.items()}
        response = self._send("POST", "?uploads", headers=headers)
        self._upload_id = _text(response, "UploadId", url)

    def put(self, number: int, data: bytes) -> str:
        """Sends part `number` (from 1 on), refused by the service if it does not arrive intact. Returns its ETag."""
        headers = {"x-goog-hash": f"crc32c={crc32c(data)}", "Content-Type": "application/octet-stream"}
        return str(self._send("PUT", self._query(number), data=data, headers=headers).headers["ETag"])

    def complete(self, etags: Mapping[int, str]) -> None:
        """Makes the object of its parts (number → ETag).

        An upload that is gone counts as completed: the answer to an earlier try was lost. So look at the object.
        """
        body = ElementTree.Element("CompleteMultipartUpload")
        for number in sorted(etags):
            part = ElementTree.SubElement(body, "Part")
            ElementTree.SubElement(part, "PartNumber").text = str(number)
            ElementTree.SubElement(part, "ETag").text = etags[number]
        headers = {"Content-Type": "application/xml"}
        response = self._send(
            "POST",
            self._query(),
            data=ElementTree.tostring(body),
            headers=headers,
            timeout=_COMPLETE_TIMEOUT,
            accept=(200, 404),
        )
        if response.status_code == 200:
            _text(response, "ETag", self._url)

    def abort(self) -> None:
        """Gives up: the parts are deleted. Does nothing about an upload that is gone."""
        self._send("DELETE", self._query(), accept=(204, 404))

    def _query(self, part_number: int | None = None) -> str:
        upload = f"uploadId={quote(self._upload_id, safe='')}"
        return f"?partNumber={part_number}&{upload}" if part_number else f"?{upload}"

    def _send(
        self,
        method: str,
        query: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        timeout: tuple[int, int] = _TIMEOUT,
        accept: tuple[int, ...] = (200,),
    ) -> requests.Response:
        try:
            response = self._session.request(method, self._url + query, data=data, headers=headers, timeout=timeout)
        except requests.RequestException as error:
            raise ServiceError(f"Cloud Storage does not answer: {type(error).__name__}", where=self._url) from error
        if response.status_code not in accept:
            code = _find(response, "Code")
            raise ServiceError(f"Cloud Storage refused {method} with {response.status_code} {code}", where=self._url)
        return response


def _text(response: requests.Response, tag: str, url: str) -> str:
    text = _find(response, tag)
    if not text:
        raise ServiceError(f"Cloud Storage answered without {tag}: {_find(response, 'Code')}", where=url)
    return text


def _find(response: requests.Response, tag: str) -> str:
    """Text of the first element of that name, in whatever namespace; empty without one."""
    try:
        root = ElementTree.fromstring(response.content)
    except ElementTree.ParseError:
        return ""
    return next((element.text or "" for element in root.iter() if element.tag.rpartition("}")[2] == tag), "")
