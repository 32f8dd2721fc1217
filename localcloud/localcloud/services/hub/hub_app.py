"""The Hub as an ASGI application: its routes."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, unquote

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from localcloud.core.lifespan import live
from localcloud.services.hub import account, models, resolve, trees
from localcloud.services.hub.answer_headers import complete
from localcloud.services.hub.content_network import PREFIX, STATUS, ContentNetwork
from localcloud.services.hub.hashes import FileHashes
from localcloud.services.hub.hub_access import identify, visible_repo
from localcloud.services.hub.hub_errors import HubError, not_implemented, repo_not_found
from localcloud.services.hub.redirects import redirect
from localcloud.services.hub.registry import find_public_repo_named
from localcloud.services.hub.visits import Handler, Hub, Visit, base_url

_REPO = "{owner}/{name}"
_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/api/whoami-v2", account.whoami),
    ("GET", f"/api/models/{_REPO}/auth-check", account.auth_check),
    ("GET", f"/api/models/{_REPO}/auth-check/write", account.write_auth_check),
    ("GET", f"/api/models/{_REPO}", models.model_info),
    ("GET", f"/api/models/{_REPO}/revision/{{revision}}", models.model_info),
    ("GET", f"/api/models/{_REPO}/refs", models.list_refs),
    ("GET", f"/api/models/{_REPO}/commits/{{revision}}", models.list_commits),
    ("GET", f"/api/models/{_REPO}/tree/{{revision}}", trees.list_tree),
    ("GET", f"/api/models/{_REPO}/tree/{{revision}}/{{path*}}", trees.list_tree),
    ("POST", f"/api/models/{_REPO}/paths-info/{{revision}}", trees.paths_info),
    ("GET HEAD", f"/{_REPO}/resolve/{{revision}}/{{path*}}", resolve.resolve),
)
_CONTENT_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", STATUS, resolve.content_status),
    ("GET HEAD", f"{PREFIX}{_REPO}/{{sha256}}", resolve.content),
)
# Repos that the local Hub lacks: other kinds, and models without an owner.
_OTHER_REPO = re.compile(r"/(api/)?(datasets|spaces|models)/|/[^/]+/resolve/")
_OF_A_MODEL = re.compile(r"/api/models/([^/]+)/([^/]+)/")
_WITHOUT_OWNER = re.compile(
    r"(?P<before>/(?:api/models/)?)(?P<name>[^/]+)"
    r"(?P<after>(?:/(?:revision|tree|paths-info|refs|auth-check|commits|resolve)(?:/.*)?)?)$"
)
_LONGEST_BODY = 4 << 20


def create_app(data_dir: Path, clock: Callable[[], datetime]) -> "HubApp":
    """The Hub over `data_dir`, which names repos and tokens (`add_repo`, `add_token`). `clock` gives aware times."""
    data_dir.mkdir(parents=True, exist_ok=True)
    return HubApp(Hub(data_dir, clock, FileHashes(data_dir / "hashes.sqlite3"), ContentNetwork(clock)))


class HubApp:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._routes = _compile(_ROUTES)
        self._content_routes = _compile(_CONTENT_ROUTES)

    def close(self) -> None:
        self.hub.hashes.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send, self.close)
            return
        request = Request(scope, receive)
        try:
            body = await _read_body(request)
            response = await to_thread.run_sync(self._answer, request, body)
        except HubError as error:
            response = error.response()
        except ClientDisconnect:
            return
        if not scope["path"].startswith(PREFIX):
            response = complete(response, scope["path"], known_user="authorization" in request.headers)
        await response(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response:
        raw = request.scope.get("raw_path")
        path = raw.partition(b"?")[0].decode("ascii", "replace") if raw else quote(request.url.path)
        # The content network has no users, so it does not look tokens up.
        content = path.startswith(PREFIX)
        token = None if content else identify(self.hub.data_dir, request.headers.get("authorization"))
        if not content and (location := self._moved_to(path)):
            query = f"?{request.url.query}" if request.url.query else ""
            return redirect(307, f"{location}{query}")
        for methods, pattern, handler in self._content_routes if content else self._routes:
            match = pattern.match(path)
            if match is not None and request.method in methods:
                names = {name: unquote(value) for name, value in match.groupdict().items()}
                asked = (request.method, path, request.query_params, request.headers, body, base_url(request))
                return handler(Visit(*asked, names, self.hub, token))
        if model := _OF_A_MODEL.match(path):
            visible_repo(self.hub.data_dir, f"{unquote(model[1])}/{unquote(model[2])}", token)
        elif _OTHER_REPO.match(path):
            raise repo_not_found(token is not None)
        raise not_implemented(f"{request.method} {path}")

    def _moved_to(self, path: str) -> str | None:
        """New path of a model that is requested by a name without an owner, as the Hub's first models had."""
        match = _WITHOUT_OWNER.match(path)
        repo = find_public_repo_named(self.hub.data_dir, unquote(match["name"])) if match else None
        return f"{match['before']}{quote(repo.id)}{match['after']}" if match and repo else None


def _compile(routes: tuple[tuple[str, str, Handler], ...]) -> list[tuple[list[str], re.Pattern[str], Handler]]:
    """Patterns for undecoded paths: a revision may contain encoded slashes, a `{name*}` also plain ones."""
    compiled = []
    for methods, template, handler in routes:
        expression = re.sub(r"{(\w+)\*}", r"(?P<\1>.+)", template)
        expression = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", expression)
        compiled.append((methods.split(), re.compile(expression + "$"), handler))
    return compiled


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_BODY:
            raise HubError(413, "", "The request's body is too large")
    return bytes(body)
