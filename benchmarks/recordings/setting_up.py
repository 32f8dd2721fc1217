"""Creates the resources that a recorded sequence needs: buckets, objects, Hub repositories, results of calls."""

import hashlib
import json
import re
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from benchmarks.recordings.learnt_names import LearntNames
from benchmarks.recordings.recorded_form import Sequence
from benchmarks.recordings.sending import Answer
from localcloud.core.state_directory import StateDirectory
from localcloud.services.hub import add_repo, add_token

Send = Callable[..., Answer]
_STORAGE = "https://storage.googleapis.com"
_OPERATION_SECONDS = 30.0
_ACCOUNT = re.compile(r"serviceAccount:([a-z][a-z0-9-]{4,28}[a-z0-9])@\$\{projectId\}\.iam\.gserviceaccount\.com")
_EDITOR = {"role": "roles/editor", "members": ["serviceAccount:${projectNumber}-compute@developer.gserviceaccount.com"]}


class HubSetup(Protocol):
    def add(self, repo: Mapping[str, Any], token: str) -> None:
        """`repo`: `id`, `files` (text or `{"bytes": N}` by name), `gated`, `private`. `token` may read it."""


class LocalHubSetup:
    """Adds repositories to a local cloud's Hub, in folders that are deleted with this object."""

    def __init__(self, state_dir: Path) -> None:
        self._data_dir = StateDirectory(state_dir).hub
        self._folders = tempfile.TemporaryDirectory(prefix="replayed-hub-")

    def add(self, repo: Mapping[str, Any], token: str) -> None:
        folder = Path(tempfile.mkdtemp(dir=self._folders.name))
        for name, content in repo["files"].items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            data = (
                bytes(number * 7 % 251 for number in range(content["bytes"])) if isinstance(content, dict) else content
            )
            file.write_bytes(data if isinstance(data, bytes) else str(data).encode())
        add_repo(self._data_dir, repo["id"], folder, bool(repo.get("gated")), private=bool(repo.get("private")))
        add_token(self._data_dir, hashlib.sha256(token.encode()).hexdigest(), "replay", [repo["id"]])


def recorded_accounts(sequence: Sequence) -> list[str]:
    """Ids of service accounts that the sequence's policies name and that none of its exchanges creates.

    The recorded project had these accounts: a policy that names a missing account is refused.
    """
    written = [sequence.setup, *(exchange.request_body for exchange in sequence.exchanges)]
    created = {body.get("accountId") for body in written if isinstance(body, dict)}
    return sorted(set(_ACCOUNT.findall(json.dumps(written))) - created)


def set_up_project(sequence: Sequence, names: LearntNames, send: Send) -> None:
    """Gives the project of the replay the recorded project's accounts, and its role of editor for Vertex AI's jobs."""
    for account in recorded_accounts(sequence):
        url = "https://iam.googleapis.com/v1/projects/${projectId}/serviceAccounts"
        send("POST", url, {"accountId": account}, names)
    if sequence.service == "vertex":
        url = "https://cloudresourcemanager.googleapis.com/v1/projects/${projectId}:setIamPolicy"
        send("POST", url, {"policy": {"bindings": [_EDITOR]}}, names)


def set_up(steps: Iterable[Mapping[str, Any]], names: LearntNames, send: Send, hub: HubSetup | None) -> bool:
    """Whether all resources could be made."""
    return all(_step(step, names, send, hub) for step in steps)


def _step(step: Mapping[str, Any], names: LearntNames, send: Send, hub: HubSetup | None) -> bool:
    match step:
        case {"bucket": bucket}:
            url = f"{_STORAGE}/storage/v1/b?project=${{projectId}}"
            return bool(send("POST", url, bucket, names).status == 200)
        case {"object": {"bucket": bucket, "name": name, "content": content, **more}}:
            named = urllib.parse.quote(names.fill(name), safe="")
            url = f"{_STORAGE}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={named}"
            headers = {"content-type": str(more.get("contentType") or "text/plain")}
            return bool(send("POST", url, content, names, headers).status == 200)
        case {"call": call}:
            return _call(call, names, send)
        case {"hub_repo": repo} if hub is not None:
            hub.add(json.loads(names.fill(json.dumps(repo))), names.given["hubToken"])
            return True
    return False


def _call(call: Mapping[str, Any], names: LearntNames, send: Send) -> bool:
    answer = send(call["method"], call["url"], call["body"], names)
    names.learn(call.get("learn"), answer.json)
    operation = answer.json if isinstance(answer.json, dict) else {}
    host, begun = urllib.parse.urlsplit(call["url"]).hostname, time.monotonic()
    while "/operations/" in str(operation.get("name")) and not operation.get("done"):
        if time.monotonic() - begun > _OPERATION_SECONDS:
            return False
        time.sleep(0.2)
        operation = send("GET", f"https://{host}/v1/{operation['name']}", None, names).json or {}
    return answer.status == 200
