"""Files: small ones from the Hub itself, large ones by a redirect to the content network."""

import mimetypes
from urllib.parse import quote

from starlette.responses import Response

from localcloud.services.hub.file_response import file_response
from localcloud.services.hub.hub_access import check_gate
from localcloud.services.hub.hub_errors import HubError, entry_not_found
from localcloud.services.hub.redirects import redirect
from localcloud.services.hub.registry import find_repo
from localcloud.services.hub.snapshots import MAIN, RepoFile, read_snapshot
from localcloud.services.hub.visits import Visit


def resolve(visit: Visit) -> Response:
    """GET and HEAD of `/{repo}/resolve/{revision}/{path}`."""
    check_gate(visit.repo(), visit.token)
    snapshot = visit.snapshot()
    path = visit.names["path"]
    file = snapshot.files.get(path)
    if file is None:
        raise entry_not_found(path, visit.revision, snapshot.commit)
    headers = {"X-Repo-Commit": snapshot.commit, "Content-Disposition": _disposition(path, "inline")}
    if file.sha256 is None:
        # A browser must not show an uploaded file as a page of the Hub.
        headers["Content-Security-Policy"] = "default-src none; sandbox"
        headers["Content-Type"] = mimetypes.guess_type(path)[0] or "text/plain; charset=utf-8"
        return file_response(file.location, file.size, file.etag, visit.headers, headers)
    location = visit.hub.content_network.url(visit.base_url, visit.repo_id, file.sha256, path)
    linked = {"X-Linked-Size": str(file.size), "X-Linked-ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
    return redirect(302, location, {**headers, **linked})


def content(visit: Visit) -> Response:
    """GET and HEAD at the content network: the signature decides, not the caller."""
    visit.hub.content_network.check(visit.path, visit.query, visit.headers)
    file = _find_content(visit)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": _disposition(visit.query["filename"], "attachment"),
        "Cache-Control": "public, max-age=604800, immutable, s-maxage=604800",
    }
    return file_response(file.location, file.size, file.etag, visit.headers, headers)


def content_status(visit: Visit) -> Response:
    """Counts of the content network's requests, and of those with a token."""
    network = visit.hub.content_network
    text = f'{{"requests": {network.requests}, "requests_with_token": {network.requests_with_token}}}'
    return Response(text, media_type="application/json")


def _find_content(visit: Visit) -> RepoFile:
    repo = find_repo(visit.hub.data_dir, visit.repo_id)
    directories = {MAIN: repo.path, **repo.tags}.values() if repo is not None else ()
    for directory in directories:
        for file in read_snapshot(directory, visit.hub.hashes).files.values():
            if file.sha256 == visit.names["sha256"]:
                return file
    raise HubError(404, "", "Not Found")


def _disposition(path: str, kind: str) -> str:
    filename = quote(path.rpartition("/")[2])
    return f"{kind}; filename*=UTF-8''{filename}; filename=\"{filename}\";"
