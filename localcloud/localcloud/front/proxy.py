"""An HTTPS proxy that answers for the real hosts: it ends TLS for the hosts of the routes, and pipes the bytes on.

HTTP/2 (only gRPC uses it here) goes to the gRPC server, HTTP/1.1 to the HTTP server. A host without a
route is refused by name, so that nothing reaches the real cloud by mistake; a recorder of the real cloud's answers lets
such hosts through, unread.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

from localcloud.core.http_connections import reset
from localcloud.core.peers import is_another_users
from localcloud.front.ca import CertificateAuthority
from localcloud.services.hosts import Route, route_of

_LOG = logging.getLogger(__name__)

_LARGEST_HEAD = 64 * 1024
_TOKENS = "oauth2.googleapis.com"
# Bytes that may wait for a slow reader before the sender is paused.
_HIGH_WATER = 1024 * 1024
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it


class Proxy:
    """Listens on 127.0.0.1 in the running event loop."""

    def __init__(
        self, authority: CertificateAuthority, *, api_port: int, grpc_port: int, passes_others: bool = False
    ) -> None:
        """`passes_others`: connects clients to hosts without a route, and does not end their TLS."""
        self._authority = authority
        self.passes_others = passes_others
        self._ports = {"http/1.1": api_port, "h2": grpc_port}
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def start(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port)

    async def stop(self) -> None:
        """Stops listening, and ends every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()
        if self._server is not None:
            await self._server.wait_closed()

    async def tunnel(self, connection: "_Connection", transport: asyncio.Transport, route: Route, host: str) -> None:
        """Ends TLS on an accepted CONNECT, then connects the client to the server that speaks its protocol."""
        loop = asyncio.get_running_loop()
        protocols = ("http/1.1", "h2") if route.grpc else ("http/1.1",)
        context = self._authority.server_context(host, protocols)
        client = _Pipe(partial(self.closed, connection))
        try:
            secure = cast(asyncio.Transport, await loop.start_tls(transport, client, context, server_side=True))
            client.connection_made(secure)
            spoken = secure.get_extra_info("ssl_object").selected_alpn_protocol() or "http/1.1"
            _, server = await loop.create_connection(_Pipe, "127.0.0.1", self._ports[spoken])
        except OSError as error:  # ssl.SSLError is one; so is a client that left
            _LOG.info("no tunnel to %s: %s", host, error)
            connection.abort()
            self.closed(connection)
            return
        server.join(client)
        client.join(server)

    async def pass_on(self, connection: "_Connection", transport: asyncio.Transport, host: str, port: int) -> None:
        """Connects an accepted CONNECT to the host itself."""
        client = _Pipe(partial(self.closed, connection))
        try:
            _, server = await asyncio.get_running_loop().create_connection(_Pipe, host, port)
        except OSError as error:
            _LOG.info("no connection to %s: %s", host, error)
            connection.abort()
            self.closed(connection)
            return
        transport.set_protocol(client)
        client.connection_made(transport)
        server.join(client)
        client.join(server)
        transport.resume_reading()

    def opened(self, connection: "_Connection") -> None:
        self._connections.add(connection)

    def closed(self, connection: "_Connection") -> None:
        self._connections.discard(connection)


class _Pipe(asyncio.Protocol):
    """One end of a tunnel: bytes that arrive here leave at the other end, no faster than that end accepts them."""

    def __init__(self, on_end: Callable[[], None] | None = None) -> None:
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._other: _Pipe | None = None
        self._waiting: list[bytes] = []
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)

    def join(self, other: "_Pipe") -> None:
        self._other = other
        for data in self._waiting:
            other.send(data)
        self._waiting.clear()
        if self._ended:
            other.end()

    def data_received(self, data: bytes) -> None:
        self._acknowledge()
        if self._other is None:
            self._waiting.append(data)
        else:
            self._other.send(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        if self._other is not None and isinstance(exc, ConnectionResetError):
            self._other.reset()
        elif self._other is not None:
            self._other.end()
        if self._on_end is not None:
            self._on_end()

    def pause_writing(self) -> None:
        if self._other is not None and self._other._transport is not None:
            self._other._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._other is not None and self._other._transport is not None:
            self._other._transport.resume_reading()

    def send(self, data: bytes) -> None:
        if self._transport is not None and not self._ended:
            self._transport.write(data)

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        if self._transport is not None:
            reset(self._transport)

    def _acknowledge(self) -> None:
        """Acknowledges received bytes at once. Clients send a request's body after its head is acknowledged (Nagle).

        urllib3 behind a proxy leaves Nagle's algorithm on; the kernel's delayed acknowledgement then costs 40 ms a
        request. Linux forgets the option with every read (tcp(7)).
        """
        if _QUICK_ACK is not None and self._transport is not None:
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)


class _Connection(asyncio.Protocol):
    """A client of the proxy until its CONNECT is answered; after that it is a `_Pipe`."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._head = b""
        self._transport: asyncio.Transport | None = None
        self._tunnel: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._proxy.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy.closed(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._answer(self._head.split(b"\r\n", 1)[0].decode("latin-1"))
        elif len(self._head) > _LARGEST_HEAD:
            self._refuse(431, "Request Header Fields Too Large", "the request's head is too large")

    def _answer(self, request_line: str) -> None:
        verb, _, rest = request_line.partition(" ")
        target = rest.partition(" ")[0]
        host, _, port = target.rpartition(":")
        route = route_of(host)
        if verb != "CONNECT":
            self._refuse(501, "Not Implemented", f"this proxy answers CONNECT only, not {verb}")
        elif route is None and self._proxy.passes_others and port.isdigit():
            self._accept(self._proxy.pass_on, host.lower(), int(port))
        elif host.lower() == _TOKENS and self._is_another_users():
            self._refuse(403, "Forbidden", "local cloud gives tokens to its own user alone")
        elif route is None or port != "443":
            _LOG.info("refused a connection to %s", target)
            self._refuse(403, "Forbidden", f"local cloud has no route for {target if route else host}")
        else:
            self._accept(self._proxy.tunnel, route, host.lower())

    def _is_another_users(self) -> bool:
        assert self._transport is not None
        peer, here = (self._transport.get_extra_info(name) for name in ("peername", "sockname"))
        return is_another_users(peer, here)

    def _accept(self, connect: Callable[..., Coroutine[Any, Any, None]], *where: Any) -> None:
        assert self._transport is not None
        # Reading is paused until TLS is set up.
        self._transport.pause_reading()
        self._transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._tunnel = asyncio.get_running_loop().create_task(connect(self, self._transport, *where))

    def _refuse(self, status: int, reason: str, message: str) -> None:
        assert self._transport is not None
        body = f"{message}\n".encode()
        head = (
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        self._transport.close()
