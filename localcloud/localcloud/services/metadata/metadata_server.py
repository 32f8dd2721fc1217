"""The metadata server of Compute Engine, from which clients on a Vertex AI worker get their project and tokens.

It gives tokens of the current user, as Cloud Shell's does, and under `/as/EMAIL` of one account: each container gets
its own address. A key in the address keeps other users of the machine out.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Union

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from localcloud.core.callers import email_of, member_of
from localcloud.core.cloud import Cloud
from localcloud.core.environment import metadata_purpose
from localcloud.services.identity.tokens import access_token_answer, identity_token

Tree = Mapping[str, Union["Tree", str, list[str], Callable[[Request], Response]]]
"""Folders, texts, lists of lines, and functions that are called for each request."""

_PREFIX = "/computeMetadata/v1"
_ACCOUNTS = "/as/"
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
# Clients refuse an answer without this header, which may come from another server at the address.
_FLAVOR = {"Metadata-Flavor": "Google"}


def create_app(cloud: Cloud) -> Starlette:
    async def answer(request: Request) -> Response:
        account, key, path = _parts(request.url.path)
        if not hmac.compare_digest(key.encode(), cloud.key(metadata_purpose(account)).encode()):
            return PlainTextResponse("This needs the address that the local cloud's environment names.\n", 403, _FLAVOR)
        response = _answer(_tree(cloud, member_of(account) or cloud.user), path, request)
        response.headers.update(_FLAVOR)
        return response

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET"])])


def _parts(path: str) -> tuple[str, str, str]:
    """A path's account ("": the current user's), key, and remaining path."""
    account = ""
    if path.startswith(_ACCOUNTS):
        account, _, path = path.removeprefix(_ACCOUNTS).partition("/")
    key, slash, rest = path.removeprefix("/").partition("/")
    return account, key, slash + rest or "/"


def _tree(cloud: Cloud, member: str) -> Tree:
    number = str(cloud.project_number(cloud.project))
    account: Tree = {
        "aliases": ["default"],
        "email": email_of(member),
        "scopes": _SCOPES,
        "token": lambda request: JSONResponse(access_token_answer(cloud, member)),
        "identity": lambda request: _identity(cloud, member, request),
    }
    return {
        "project": {"project-id": cloud.project, "numeric-project-id": number},
        "instance": {
            "id": number,
            "name": "local-cloud",
            "hostname": f"local-cloud.c.{cloud.project}.internal",
            "zone": f"projects/{number}/zones/{cloud.region}-a",
            "region": f"projects/{number}/regions/{cloud.region}",
            "service-accounts": {"default": account, email_of(member): account},
        },
        "universe": {"universe-domain": "googleapis.com"},
    }


def _answer(tree: Tree, path: str, request: Request) -> Response:
    if path == "/":
        return PlainTextResponse("computeMetadata/\n")
    if request.headers.get("metadata-flavor") != "Google":
        return PlainTextResponse("Missing Metadata-Flavor:Google header.\n", status_code=403)
    node: Any = tree if path.startswith(_PREFIX) else None
    for part in path.removeprefix(_PREFIX).strip("/").split("/"):
        if part:
            node = node.get(part) if isinstance(node, Mapping) else None
    return _render(node, request)


def _render(node: Any, request: Request) -> Response:
    if node is None:
        return PlainTextResponse("The requested metadata is not there.\n", status_code=404)
    if callable(node):
        answer: Response = node(request)
        return answer
    if request.query_params.get("alt") == "json" or (
        isinstance(node, Mapping) and request.query_params.get("recursive", "").lower() == "true"
    ):
        return Response(json.dumps(_plain(node)), media_type="application/json")
    if isinstance(node, Mapping):
        names = [f"{name}/" if isinstance(child, Mapping) else name for name, child in node.items()]
        return _text("".join(f"{name}\n" for name in names))
    return _text("".join(f"{line}\n" for line in node) if isinstance(node, list) else node)


def _plain(node: Any) -> Any:
    """The node as JSON, with names in camelCase and without tokens."""
    if not isinstance(node, Mapping):
        return node
    return {_camel_case(name): _plain(child) for name, child in node.items() if not callable(child)}


def _camel_case(name: str) -> str:
    first, *others = name.split("-") if "@" not in name else [name]
    return first + "".join(part.capitalize() for part in others)


def _text(content: str) -> Response:
    return Response(content, media_type="application/text")


def _identity(cloud: Cloud, member: str, request: Request) -> Response:
    audience = request.query_params.get("audience", "")
    if not audience:
        return PlainTextResponse("non-empty audience parameter required\n", status_code=400)
    return Response(identity_token(cloud, member, audience), media_type="text/html")
