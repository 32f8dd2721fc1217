"""Checks at the ports: the local cloud is for one user of one machine, and for no page in that user's browser.

A page reaches loopback ports by DNS rebinding, with its own name in `Host`, and by plain requests, with its origin in
`Origin` or, for pictures and forms, a word in `Sec-Fetch-Site`. Google's clients send neither.
"""

import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from localcloud.core.peers import is_own_process

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_OWN_SITES = frozenset({"", "none", "same-origin"})


def only_by_name(app: ASGIApp, names: Iterable[str] = LOOPBACK_NAMES) -> ASGIApp:
    """`app` for requests whose Host is one of `names`, with or without a port, and that no other origin's page sent."""
    known = frozenset(names)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := _objection(Headers(scope=scope), known)):
            await _refuse(403, "PERMISSION_DENIED", refusal)(scope, receive, send)
            return
        await app(scope, receive, send)

    return answer


def no_other_origin(app: ASGIApp) -> ASGIApp:
    """`app` for requests that no other origin's page sent; the application checks Host itself."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := _foreign_origin(Headers(scope=scope))):
            await _refuse(403, "PERMISSION_DENIED", refusal)(scope, receive, send)
            return
        await app(scope, receive, send)

    return answer


def only_with_key(app: ASGIApp, key: str, prefixes: Mapping[str, bool]) -> ASGIApp:
    """`app`, whose paths under `prefixes` need `key`: as bearer token, or as the next part of the path where True.

    The part of the path is for clients that accept only an address; the application does not see it. Under the
    other prefixes a process of the daemon's own user needs no key.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        prefix = next((one for one in prefixes if f"{scope['path']}/".startswith(f"{one}/")), None)
        if prefix is None:
            await app(scope, receive, send)
            return
        given = Headers(scope=scope).get("authorization", "").partition(" ")[2].strip()
        if prefixes[prefix]:
            first, _, rest = scope["path"].removeprefix(prefix).removeprefix("/").partition("/")
            if hmac.compare_digest(first.encode(), key.encode()):
                given, scope = key, {**scope, "path": f"{prefix}/{rest}", "raw_path": f"{prefix}/{rest}".encode()}
        known = hmac.compare_digest(given.encode(), key.encode())
        if not known and (prefixes[prefix] or not is_own_process(scope.get("client"), scope.get("server"))):
            said = "This needs the key of the local cloud's state folder, which its owner alone can read."
            await _refuse(401, "UNAUTHENTICATED", said)(scope, receive, send)
            return
        await app(scope, receive, send)

    return answer


def _objection(headers: Headers, known: frozenset[str]) -> str:
    host = headers.get("host", "")
    if _name_of(host) not in known:
        return f"The local cloud does not answer as {host}."
    return _foreign_origin(headers)


def _foreign_origin(headers: Headers) -> str:
    """Why the request is refused; empty if it comes from no page, or from a page of the same origin."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return f"The local cloud does not answer a page of {origin}."
    if headers.get("sec-fetch-site", "").lower() not in _OWN_SITES:
        return "The local cloud does not answer a page of another site."
    return ""


def _name_of(host: str) -> str:
    """The host without its port; empty for a malformed host."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _refuse(code: int, status: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "status": status, "message": message}}, code)
