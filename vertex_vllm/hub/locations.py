"""Locations of a model's files, asked of the Hub once per file, because it limits these requests.

The token goes to the Hub alone. The URL that the Hub redirects to is itself the permission, so it is neither logged nor
put into an error.
"""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, urljoin, urlsplit

from vertex_vllm.error_data import RETRYABLE_STATUS
from vertex_vllm.errors import ServiceError
from vertex_vllm.hub.file_listing import HubFile, check_file
from vertex_vllm.hub.hub_client import hub_endpoint
from vertex_vllm.hub.hub_names import check_commit, check_model_id
from vertex_vllm.hub.refusals import hub_words, refusal
from vertex_vllm.hub.token import checked_token
from vertex_vllm.network.bulk_connections import Connections
from vertex_vllm.retries import TransientError, retry_after

_MOST_REDIRECTS = 5
# A signed URL is not used in its last seconds.
_MARGIN = 60


@dataclass(frozen=True)
class XetAddress:
    """A file in the Hub's chunk store."""

    hash: str
    """64 hexadecimal digits."""
    token_url: str
    """URL at which the Hub gives tokens for the store."""
    headers: dict[str, str] = field(repr=False)
    """Credentials for that host. Holds the Hub's token."""


class ContentRefusedError(TransientError):
    """The content network refused a file that the Hub lists, or sent a body that cannot be that file."""


class Locations:
    """URLs of one model's files at one commit. Safe to use from several threads at once."""

    def __init__(
        self,
        model_id: str,
        commit: str,
        token: str | None,
        connections: Connections,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.model_id = check_model_id(model_id)
        self.commit = check_commit(commit)
        self._token = checked_token(token)
        self._endpoint = hub_endpoint()
        self._connections = connections
        self._clock = clock
        self._known: dict[str, tuple[str, float]] = {}
        self._xet_hashes: dict[str, str] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def of(self, file: HubFile) -> str:
        """The URL of the file's bytes. Raises TransientError, or the error of `refused`."""
        with self._locks[file.path]:
            url, ends = self._known.get(file.path, ("", 0.0))
            if not url or self._clock() > ends:
                url = self._follow(file)
                self._known[file.path] = url, signed_until(url) - _MARGIN
            return url

    def xet_address(self, file: HubFile) -> XetAddress | None:
        """The file's address in the chunk store; None if it is not there. Raises as `of` does."""
        self.of(file)
        if not (digest := self._xet_hashes.get(file.path, "")):
            return None
        token_url = f"{self._endpoint}/api/models/{self.model_id}/xet-read-token/{self.commit}"
        return XetAddress(digest, token_url, self.headers(token_url))

    def forget(self, file: HubFile, url: str) -> None:
        """Discards `url`, which no longer works, and asks the Hub for another one, unless another thread has done
        so."""
        with self._locks[file.path]:
            if self._known.get(file.path, ("", 0.0))[0] == url:
                del self._known[file.path]

    def headers(self, url: str) -> dict[str, str]:
        """Credentials for the Hub, sent nowhere else."""
        return {"Authorization": f"Bearer {self._token}"} if self._token and self._is_hub(url) else {}

    def refused(self, status: int, headers: Mapping[str, str], url: str, file: HubFile, body: bytes = b"") -> Exception:
        """The error for an answer with an error status: TransientError, HubAccessError or ServiceError."""
        host = urlsplit(url).hostname
        if status in RETRYABLE_STATUS:
            return TransientError(f"status {status} from {host}", retry_after(headers), throttled=status in (429, 503))
        said = hub_words(status, headers, body)
        if not self._is_hub(url):
            # A signed URL that has run out is refused with 401 or 403; the Hub gives a new one. The file, its size and
            # so the range are known to be good: other refusals come from a store that is out of step, for a while.
            kind = TransientError if status in (401, 403) else ContentRefusedError
            return kind(f"{said} from {host}", retry_after(headers))
        return refusal(said, token=self._token, model_id=self.model_id, revision=self.commit, path=file.path)

    def where(self, file: HubFile) -> str:
        return f"{self.model_id}@{self.commit}: {file.path}"

    def _follow(self, file: HubFile) -> str:
        check_file(file)
        url = f"{self._endpoint}/{self.model_id}/resolve/{self.commit}/{quote(file.path)}"
        for _ in range(_MOST_REDIRECTS):
            with self._connections.request("HEAD", url, self.headers(url)) as answer:
                if answer.status >= 400:
                    raise self.refused(answer.status, answer.headers, url, file)
                if re.fullmatch(r"[0-9a-f]{64}", digest := answer.headers.get("X-Xet-Hash", "")):
                    self._xet_hashes[file.path] = digest
                if "Location" not in answer.headers:
                    return url
                url = urljoin(url, answer.headers["Location"])
            if not self._is_hub(url):
                return url
        raise ServiceError("the Hub redirects in circles", where=self.where(file))

    def _is_hub(self, url: str) -> bool:
        return _origin(url) == _origin(self._endpoint)


def signed_until(url: str) -> float:
    """Unix time at which a signed URL of CloudFront, Cloud Storage or S3 expires; infinite for any other URL."""
    query = {name.lower(): values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    if (ends := query.get("expires", "")).isdigit():
        return float(ends)
    for prefix in ("x-amz-", "x-goog-"):
        try:
            begun = datetime.strptime(query[f"{prefix}date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return begun.timestamp() + int(query[f"{prefix}expires"])
        except (KeyError, ValueError):
            continue
    return float("inf")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
