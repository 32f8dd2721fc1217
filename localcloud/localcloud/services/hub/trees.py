"""Lists of a repo's files: tree and paths-info."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.responses import JSONResponse, Response

from localcloud.services.hub.hub_errors import HubError, entry_not_found
from localcloud.services.hub.snapshots import COMMIT_TITLE, RepoFile, Snapshot, lfs_pointer
from localcloud.services.hub.visits import Visit

# The Hub's largest pages: huggingface_hub, HfApi._iter_repo_tree_pages.
_PAGE = 1000
_EXPANDED_PAGE = 50


def list_tree(visit: Visit) -> Response:
    """Lists a folder, or everything below it, in pages; a `Link` header has the next page's URL."""
    snapshot = visit.snapshot()
    folder = visit.names.get("path", "").strip("/")
    if folder and folder not in snapshot.folders:
        raise entry_not_found(folder, visit.revision, snapshot.commit)
    prefix = f"{folder}/" if folder else ""
    depth_free = visit.flag("recursive")
    paths = [
        path
        for path in sorted([*snapshot.folders, *snapshot.files])
        if path.startswith(prefix) and (depth_free or "/" not in path[len(prefix) :])
    ]
    after = _decode_cursor(visit.query.get("cursor"))
    size = _page_size(visit)
    left = [path for path in paths if path > after]
    page = [_entry(snapshot, path, visit.flag("expand")) for path in left[:size]]
    headers = {"Link": f'<{_next_url(visit, left[size - 1])}>; rel="next"'} if len(left) > size else None
    return JSONResponse(page, headers=headers)


def paths_info(visit: Visit) -> Response:
    """The entries of those requested paths that exist."""
    snapshot = visit.snapshot()
    paths, expand = _asked_paths(visit)
    known = [path.strip("/") for path in paths]
    return JSONResponse(
        [_entry(snapshot, path, expand) for path in known if path in snapshot.files or path in snapshot.folders]
    )


def file_entry(file: RepoFile) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "oid": file.oid, "size": file.size, "path": file.path}
    if file.sha256 is not None:
        pointer = len(lfs_pointer(file.sha256, file.size))
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": pointer}
    return entry


def _entry(snapshot: Snapshot, path: str, expand: bool) -> dict[str, Any]:
    file = snapshot.files.get(path)
    if file is None:
        entry: dict[str, Any] = {"type": "directory", "oid": snapshot.folders[path], "size": 0, "path": path}
    else:
        entry = file_entry(file)
    if not expand:
        return entry
    commit = {"id": snapshot.commit, "title": COMMIT_TITLE, "date": hub_time(snapshot)}
    scan = {"status": "unscanned", "avScan": None, "pickleImportScan": None}
    return {**entry, "lastCommit": commit, **({"securityFileStatus": scan} if file is not None else {})}


def hub_time(snapshot: Snapshot) -> str:
    return snapshot.changed.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _asked_paths(visit: Visit) -> tuple[list[str], bool]:
    """Requested paths, and `expand`. huggingface_hub sends a form, other clients JSON. Raises HubError (400)."""
    text = visit.body.decode(errors="replace")
    if not visit.headers.get("content-type", "").startswith("application/json"):
        form = parse_qs(text)
        return form.get("paths", []), form.get("expand", [""])[0].lower() in ("true", "1")
    try:
        asked = json.loads(text)
        return [str(path) for path in asked["paths"]], bool(asked.get("expand"))
    except (ValueError, TypeError, KeyError):
        raise HubError(400, "", '"paths" must be a list of paths') from None


def _page_size(visit: Visit) -> int:
    largest = _EXPANDED_PAGE if visit.flag("expand") else _PAGE
    limit = visit.query.get("limit", str(largest))
    if not limit.isdigit() or int(limit) < 1:
        raise HubError(400, "", '"limit" must be a number larger than 0')
    return min(int(limit), largest)


def _next_url(visit: Visit, last: str) -> str:
    cursor = base64.urlsafe_b64encode(last.encode()).decode()
    query = {**dict(visit.query), "cursor": cursor}
    return f"{visit.base_url}{visit.path}?{urlencode(query)}"


def _decode_cursor(cursor: str | None) -> str:
    try:
        return base64.urlsafe_b64decode(cursor or "").decode()
    except ValueError:
        raise HubError(400, "", "Invalid cursor") from None
