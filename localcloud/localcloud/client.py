"""The connection to a running local cloud, for programs that use it."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

_ADMIN_SECONDS = 60.0


class DaemonError(Exception):
    """The daemon did not start or stop, or runs for another project or region; the message says what to do."""


class RefusedError(DaemonError):
    """The daemon refused a request; `reason` has its own words."""

    def __init__(self, message: str, answer: str) -> None:
        super().__init__(message)
        self.reason = answer
        with suppress(ValueError, KeyError, TypeError):
            self.reason = str(json.loads(answer)["error"]["message"])


@dataclass(frozen=True)
class Connection:
    """A running local cloud."""

    state_dir: Path
    pid: int
    project: str
    region: str
    admin_url: str
    admin_key: str
    """Bearer token that the admin address and Kubeflow Pipelines ask for."""
    environment: dict[str, str]
    """Variables to add to a client's environment."""

    def admin(self, verb: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        """Sends a request to the daemon's own API: `admin("PUT", "/_local/quotas", {…})`.

        Raises RefusedError if the daemon refuses.
        """
        connection = http.client.HTTPConnection(self.admin_url.removeprefix("http://"), timeout=_ADMIN_SECONDS)
        try:
            headers = {"Authorization": f"Bearer {self.admin_key}"}
            connection.request(verb, path, json.dumps(fields) if fields is not None else None, headers)
            response = connection.getresponse()
            answer = response.read().decode()
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise RefusedError(f"{verb} {path} was refused: {answer}", answer)
        content: dict[str, Any] = json.loads(answer)
        return content

    def switch_user(self, account: str = "") -> None:
        """From now on the default credential is that of `account`, an email address; "" = the owner of all projects.

        Clients that already hold a token keep using it. Raises RefusedError for a service account that does not exist.
        """
        self.admin("PUT", "/_local/user", {"member": account})

    @contextmanager
    def user(self, account: str) -> Iterator[None]:
        """Clients created inside the context have the credential of `account`."""
        self.switch_user(account)
        try:
            yield
        finally:
            self.switch_user()

    def access_token(self, account: str) -> str:
        """The access token of `account`, an email address."""
        return str(self._credentials(account)["access_token"])

    def refresh_token(self, account: str) -> str:
        """The refresh token of an `authorized_user` file of `account`: clients exchange it for access tokens."""
        return str(self._credentials(account)["refresh_token"])

    def environment_of(self, account: str) -> dict[str, str]:
        """`environment` with the credential of `account`, for a process that acts as that account."""
        variables: dict[str, str] = self._credentials(account)["environment"]
        return variables

    def _credentials(self, account: str) -> dict[str, Any]:
        return self.admin("GET", f"/_local/credentials?{urlencode({'member': account})}")

    def add_fault(self, **fields: Any) -> int:
        """Posts a fault: `add_fault(service="storage", method="PUT", kind="error", status=503, times=2)`.

        Returns its number. Raises RefusedError for a malformed fault (docs/local-cloud.md).
        """
        return int(self.admin("PUT", "/_local/faults", fields)["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Faults since the last `clear_faults`, each with how many calls it `met`, `struck`, and is `striking`."""
        posted: list[dict[str, Any]] = self.admin("GET", "/_local/faults")["faults"]
        return posted

    def part_requests(self, bucket: str, name: str) -> list[dict[str, Any]]:
        """Every request with a part of a multipart upload to this object, also those that failed.

        Each has `upload_id`, `number`, `size` (bytes that arrived), `stored` (whether it became the part), and the
        times `began` and `ended`.
        """
        query = urlencode({"bucket": bucket, "object": name})
        parts: list[dict[str, Any]] = self.admin("GET", f"/_local/storage/parts?{query}")["parts"]
        return parts

    def clear_faults(self) -> None:
        self.admin("DELETE", "/_local/faults")
