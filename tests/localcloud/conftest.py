"""Servers of single parts of the local cloud, on loopback ports of their own."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import uvicorn

from localcloud.core.http_connections import ConnectionProtocol

Serve = Callable[[Any], AbstractContextManager[str]]


def listen() -> socket.socket:
    """An ephemeral port. Only of a socket that says it is TCP does asyncio turn off Nagle's delays."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


@contextmanager
def _serve(app: Any) -> Iterator[str]:
    with listen() as listener:
        server = uvicorn.Server(uvicorn.Config(app, http=ConnectionProtocol, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Serves an ASGI application while the block runs, and gives its URL. It may be a `FaultyApp`."""
    return _serve
