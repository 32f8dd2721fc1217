"""The Hub's answers about a model repo: info, refs, commits."""

from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse, Response

from localcloud.services.hub.hub_errors import HubError
from localcloud.services.hub.model_files import (
    card_tags,
    read_card,
    read_config,
    read_library,
    read_mask_token,
    read_safetensors,
    read_task,
    read_transformers_info,
)
from localcloud.services.hub.snapshots import COMMIT_TITLE, MAIN, Snapshot, find_snapshot
from localcloud.services.hub.trees import file_entry, hub_time
from localcloud.services.hub.visits import Visit

_NOT_COUNTED = {"downloads": 0, "likes": 0, "downloadsAllTime": 0, "trendingScore": 0, "childrenModelCount": 0}
_UNKNOWN = ("baseModels", "evalResults", "gguf", "inference", "inferenceProviderMapping")
_NEVER = ("resourceGroup", "spaces", "widgetData")
# Given for every model with a card, also when empty.
_ALWAYS = frozenset({"model-index"})
# Properties without `expand` (huggingface_hub, HfApi.model_info).
_USUAL = (
    *("author", "cardData", "config", "createdAt", "disabled", "downloads", "gated", "lastModified", "library_name"),
    *("likes", "mask_token", "model-index", "pipeline_tag", "private", "safetensors", "sha", "siblings", "spaces"),
    *("tags", "transformersInfo", "usedStorage"),
)


def model_info(visit: Visit) -> Response:
    repo, snapshot = visit.repo(), visit.snapshot()
    properties = _properties(visit, snapshot)
    asked = [*visit.query.getlist("expand"), *visit.query.getlist("expand[]")]
    for name in asked:
        if name not in properties:
            raise HubError(400, "", f'"expand" must be one of [{", ".join(sorted(properties))}], not {name}')
    found = {name: properties[name]() for name in asked or _USUAL}
    always = _ALWAYS if "README.md" in snapshot.files else frozenset()
    told = {name: value for name, value in found.items() if value is not None or name in always}
    if visit.flag("securityStatus"):
        told["securityRepoStatus"] = {"scansDone": False, "filesWithIssues": []}
    # Recorded: an answer with `expand` contains the id once.
    ids = {"_id": snapshot.commit[:24], "id": repo.id, **({} if asked else {"modelId": repo.id})}
    return JSONResponse({**ids, **told})


def list_refs(visit: Visit) -> Response:
    repo = visit.repo()
    tags = [_ref("tags", tag, find_snapshot(repo, tag, visit.hub.hashes).commit) for tag in sorted(repo.tags)]
    main = find_snapshot(repo, MAIN, visit.hub.hashes)
    refs: dict[str, Any] = {"branches": [_ref("heads", MAIN, main.commit)], "converts": [], "tags": tags}
    if visit.flag("include_prs"):
        refs["pullRequests"] = []
    return JSONResponse(refs)


def list_commits(visit: Visit) -> Response:
    """A single commit: a directory has no history."""
    snapshot = visit.snapshot()
    commit = {
        "id": snapshot.commit,
        "title": COMMIT_TITLE,
        "message": "",
        "date": hub_time(snapshot),
        "authors": [{"user": visit.repo().owner}],
    }
    return JSONResponse([commit])


def _properties(visit: Visit, snapshot: Snapshot) -> dict[str, Callable[[], Any]]:
    """Every property that `expand` may name, as a function, because some read files."""
    repo = visit.repo()
    card = read_card(snapshot)
    config = read_config(snapshot)
    info = read_transformers_info(snapshot)
    pipeline_tag, library = read_task(card, info), read_library(card, config)
    found: dict[str, Callable[[], Any]] = {
        "author": lambda: repo.owner,
        "sha": lambda: snapshot.commit,
        "lastModified": lambda: hub_time(snapshot),
        "createdAt": lambda: hub_time(snapshot),
        "private": lambda: repo.private,
        "gated": lambda: "manual" if repo.gated else False,
        "disabled": lambda: False,
        "cardData": lambda: card or None,
        "config": lambda: config or None,
        "library_name": lambda: library,
        "pipeline_tag": lambda: pipeline_tag,
        "mask_token": lambda: read_mask_token(snapshot),
        "model-index": lambda: card.get("model-index"),
        "transformersInfo": lambda: info,
        "tags": lambda: _tags({**card, "pipeline_tag": pipeline_tag}, config, library, snapshot),
        "safetensors": lambda: read_safetensors(snapshot),
        "siblings": lambda: [_sibling(visit, path, snapshot) for path in snapshot.files],
        "usedStorage": lambda: sum(file.size for file in snapshot.files.values()),
    }
    counted = {name: (lambda count=count: count) for name, count in _NOT_COUNTED.items()}
    return found | counted | dict.fromkeys((*_UNKNOWN, *_NEVER), lambda: None)


def _tags(card: dict[str, Any], config: dict[str, Any], library: str | None, snapshot: Snapshot) -> list[str]:
    weights = "safetensors" if any(path.endswith(".safetensors") for path in snapshot.files) else None
    licence = f"license:{card['license']}" if "license" in card else None
    tags = [library, weights, config.get("model_type"), card.get("pipeline_tag"), *card_tags(card), licence]
    return list(dict.fromkeys(str(tag) for tag in tags if tag))


def _sibling(visit: Visit, path: str, snapshot: Snapshot) -> dict[str, Any]:
    if not visit.flag("blobs"):
        return {"rfilename": path}
    entry = file_entry(snapshot.files[path])
    sibling = {"rfilename": path, "size": entry["size"], "blobId": entry["oid"]}
    if "lfs" in entry:
        lfs = entry["lfs"]
        sibling["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
    return sibling


def _ref(kind: str, name: str, commit: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
