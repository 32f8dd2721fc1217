"""HTTP/1.1 connections that an application can reset, which ASGI does not offer."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_EXTENSION = "localcloud.connection"
# SO_LINGER, on, 0 seconds: closing discards unsent bytes and sends RST to the other end (socket(7)).
_NO_LINGER = struct.pack("ii", 1, 0)


class Connection:
    """The connection that a request came by."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.ended = asyncio.Event()

    async def reset(self) -> None:
        """Resets the connection, as a crash of the other end does; unsent bytes are lost."""
        reset(self._transport)
        await self.ended.wait()

    async def close(self) -> None:
        """Closes the connection once everything written has been sent."""
        self._transport.close()
        await self.ended.wait()


class ConnectionProtocol(H11Protocol):
    """uvicorn's own, whose requests carry their `Connection`: `connection_of(scope)`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._connection = Connection(transport)
        self.app = _carrying(self.app, self._connection)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._connection.ended.set()


def connection_of(scope: Scope) -> Connection:
    """The connection of a request to a server with `ConnectionProtocol`."""
    return cast(Connection, scope["extensions"][_EXTENSION])


def reset(transport: asyncio.Transport) -> None:
    """Ends a TCP connection, or TLS on top of one, with RST."""
    with suppress(OSError):  # the other end was faster
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def _carrying(app: Any, connection: Connection) -> ASGIApp:
    async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[_EXTENSION] = connection
        await app(scope, receive, send)

    return with_connection
