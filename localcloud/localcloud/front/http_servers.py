"""HTTP/1.1 servers in the running event loop."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime

import uvicorn
from starlette.types import ASGIApp

from localcloud.core.http_connections import ConnectionProtocol
from localcloud.core.ports import listen
from localcloud.front.dated import Dated

# Seconds. Clients keep connections for minutes; closing an idle one just when it is reused would fail their call.
_KEEP_ALIVE_SECONDS = 3600
_GRACE_SECONDS = 2


class _Server(uvicorn.Server):
    """One of several servers in this process: the daemon handles signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServers:
    """HTTP/1.1 servers in the running event loop; `clock` dates their answers."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._running: list[tuple[_Server, asyncio.Task[None]]] = []

    async def start(self, app: ASGIApp, port: int, *, lifespan: bool = False) -> None:
        """Serves `app` on 127.0.0.1:`port`. `lifespan`: the app receives ASGI's lifespan events."""
        config = uvicorn.Config(
            Dated(app, self._clock),
            http=ConnectionProtocol,
            log_level="warning",
            access_log=False,
            lifespan="on" if lifespan else "off",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            server_header=False,
            date_header=False,
            ws="none",
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listen(port)]))
        self._running.append((server, task))
        while not server.started:
            if task.done():
                await task
                raise RuntimeError(f"the server on port {port} ended while it started")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        for server, _ in self._running:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self._running))
