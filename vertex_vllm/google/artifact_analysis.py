"""Artifact Analysis: the occurrences that say how an image was built. Over REST, since no client package of it is
needed for one method."""

from collections.abc import Iterator
from typing import Any

from vertex_vllm.google.shared_clients import default_credentials

_HOST = "https://containeranalysis.googleapis.com"
_SECONDS = 60
# The reference of `projects.occurrences.list`.
_LARGEST_PAGE = 1000


def build_occurrences(project: str, image: str) -> Iterator[dict[str, Any]]:
    """Occurrences of kind BUILD of `image`, `NAME@sha256:DIGEST`, as API v1 has them.

    Verify their signatures: any account that may create occurrences in the project can have written them. Raises the
    errors of google.api_core, of google.auth and of requests.
    """
    from google.api_core.exceptions import from_http_response
    from google.auth.transport.requests import AuthorizedSession

    asked: dict[str, str | int] = {
        "filter": f'kind="BUILD" AND resourceUrl="https://{image}"',
        "pageSize": _LARGEST_PAGE,
    }
    with AuthorizedSession(default_credentials()) as session:
        while True:
            answer = session.get(f"{_HOST}/v1/projects/{project}/occurrences", params=asked, timeout=_SECONDS)
            if not answer.ok:
                raise from_http_response(answer)
            page = answer.json()
            yield from page.get("occurrences", ())
            if not page.get("nextPageToken"):
                return
            asked["pageToken"] = page["nextPageToken"]
