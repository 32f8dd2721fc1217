"""Ranged reads of a model's files: located once, read in pieces, gone on with after a broken connection.

The token goes to the Hub alone. Where the Hub sends us on to, the URL itself is the permission, so it is neither logged
nor put into an error.
"""

import logging
import re
import threading
from collections import defaultdict
from types import TracebackType
from typing import Self
from urllib.parse import quote, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from vertex_vllm.errors import HubAccessError, ServiceError
from vertex_vllm.hub.client import hub_endpoint, refusal
from vertex_vllm.hub.listing import HubFile
from vertex_vllm.hub.names import check_commit, check_model_id
from vertex_vllm.hub.token import checked_token
from vertex_vllm.retries import RETRYABLE_STATUS, TransientError, retry_after, with_retries

# Seconds to connect, seconds without a byte, and seconds of trying before one read is given up.
_TIMEOUT = (10, 60)
_PATIENCE = 600
_PIECE = 1 << 20
_MOST_REDIRECTS = 5


class RepoReader:
    """Reads files of one model at one commit. Safe to use from several threads at once."""

    def __init__(self, model_id: str, commit: str, token: str | None, connections: int = 8) -> None:
        self.model_id = check_model_id(model_id)
        self.commit = check_commit(commit)
        self._token = checked_token(token)
        self._endpoint = hub_endpoint()
        self._session = requests.Session()
        # Not None, or requests would take a password for any of the hosts from ~/.netrc.
        self._session.auth = _HubOnly(self._endpoint, self._token)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=0))
        self._closed = threading.Event()
        self._locations: dict[str, str] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        logging.getLogger("urllib3.connectionpool").addFilter(_hide_signatures)

    def read(self, file: HubFile, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `start` on; by default the whole file.

        Raises HubAccessError when the Hub refuses the file, ServiceError when it could not be read for ten minutes.
        """
        wanted = file.size - start if length is None else length
        if start < 0 or wanted < 0 or start + wanted > file.size:
            raise ValueError(f"{file.path} has no bytes {start} to {start + wanted}")
        pieces: list[bytes] = []
        try:
            with_retries(lambda: self._fill(pieces, file, start, wanted), seconds=_PATIENCE)
        except TransientError as error:
            raise ServiceError(f"cannot be read from the Hub: {error}", where=self._where(file)) from None
        return b"".join(pieces)

    def close(self) -> None:
        """Ends the reads that are still trying, with ServiceError."""
        self._closed.set()
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fill(self, pieces: list[bytes], file: HubFile, start: int, length: int) -> None:
        """Adds what is still missing; what a broken connection has brought stays."""
        have = sum(map(len, pieces))
        if have == length:
            return
        if self._closed.is_set():
            raise ServiceError("not read: others have failed", where=self._where(file))
        first, last = start + have, start + length - 1
        with self._get(self._locate(file), file, first, last) as response:
            _check_range(response, file, first, last)
            while have < length:
                piece = _read_piece(response, min(_PIECE, length - have))
                pieces.append(piece)
                have += len(piece)

    def _locate(self, file: HubFile) -> str:
        """Where the bytes are: asked of the Hub once for each file, as it counts these requests."""
        with self._locks[file.path]:
            if file.path not in self._locations:
                self._locations[file.path] = self._follow(file)
            return self._locations[file.path]

    def _follow(self, file: HubFile) -> str:
        url = f"{self._endpoint}/{self.model_id}/resolve/{self.commit}/{quote(file.path)}"
        for _ in range(_MOST_REDIRECTS):
            response = self._request("HEAD", url, file, {})
            if "Location" not in response.headers:
                return url
            url = urljoin(url, response.headers["Location"])
            if _origin(url) != _origin(self._endpoint):
                return url
        raise ServiceError("the Hub sends us in circles", where=self._where(file))

    def _get(self, url: str, file: HubFile, first: int, last: int) -> requests.Response:
        whole = first == 0 and last == file.size - 1
        try:
            return self._request("GET", url, file, {} if whole else {"Range": f"bytes={first}-{last}"})
        except (HubAccessError, TransientError):
            self._locations.pop(file.path, None)
            raise

    def _request(self, method: str, url: str, file: HubFile, headers: dict[str, str]) -> requests.Response:
        try:
            response = self._session.request(
                method,
                url,
                headers={"Accept-Encoding": "identity", **headers},
                stream=method == "GET",
                timeout=_TIMEOUT,
                # requests takes the token off a request that is sent on to another host.
                allow_redirects=method == "GET",
            )
        except requests.RequestException as error:
            raise TransientError(f"{type(error).__name__} at {urlsplit(url).hostname}") from None
        if response.status_code >= 400:
            response.close()
            raise self._error(response, url, file)
        return response

    def _error(self, response: requests.Response, url: str, file: HubFile) -> Exception:
        status = response.status_code
        elsewhere = _origin(url) != _origin(self._endpoint)
        # A signed URL that has run out is refused with 401 or 403; the Hub gives a new one.
        if status in RETRYABLE_STATUS or (elsewhere and status in (401, 403)):
            return TransientError(f"status {status} from {urlsplit(url).hostname}", retry_after(response.headers))
        if elsewhere:
            return ServiceError(f"status {status} from {urlsplit(url).hostname}", where=self._where(file))
        return refusal(
            status,
            response.headers,
            token=self._token,
            model_id=self.model_id,
            revision=self.commit,
            path=file.path,
        )

    def _where(self, file: HubFile) -> str:
        return f"{self.model_id}@{self.commit}: {file.path}"


class _HubOnly(AuthBase):
    """Adds the token to requests to the Hub, and nothing to any other."""

    def __init__(self, endpoint: str, token: str | None) -> None:
        self._origin = _origin(endpoint)
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token and _origin(request.url or "") == self._origin:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _check_range(response: requests.Response, file: HubFile, first: int, last: int) -> None:
    """Raises TransientError unless the body that follows begins at byte `first`."""
    if response.status_code == 206:
        expected = f"bytes {first}-{last}/{file.size}"
        if response.headers.get("Content-Range", "") != expected:
            raise TransientError(f"Content-Range is not {expected!r}")
    elif response.status_code != 200 or first != 0:
        raise TransientError(f"status {response.status_code} in answer to a range")


def _read_piece(response: requests.Response, length: int) -> bytes:
    try:
        piece: bytes = response.raw.read(length, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise TransientError(f"{type(error).__name__} while reading") from None
    if not piece:
        raise TransientError("the body ends too early")
    return piece


def _hide_signatures(record: logging.LogRecord) -> bool:
    """urllib3 logs whole URLs, some as warnings; a signed one lets whoever reads the log have the file."""
    if isinstance(record.args, tuple):
        record.args = tuple(_without_query(part) if isinstance(part, str) else part for part in record.args)
    return True


def _without_query(text: str) -> str:
    return re.sub(r"\?\S*(?:signature|policy|credential|token)\S*", "?(signed)", text, flags=re.IGNORECASE)
