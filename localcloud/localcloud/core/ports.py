"""The daemon's ports on 127.0.0.1: those of the last run, if they are free."""

import json
import random
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

# Below the ports of outgoing connections (Linux: from 32768), which could take one while the daemon is down.
_CANDIDATES = range(20_000, 32_000)
_TRIES = 50


@dataclass(frozen=True)
class Ports:
    proxy: int
    metadata: int
    storage: int
    hub: int
    grpc: int
    api: int
    admin: int


def choose_ports(file: Path) -> Ports:
    """The ports named in `file`, and new ones for those that are taken; `file` then names the result.

    A shell with the environment of an earlier `up` thus still finds the cloud after `down` and `up`.
    """
    last: dict[str, int] = {}
    with suppress(FileNotFoundError, json.JSONDecodeError):
        last = json.loads(file.read_text())
    held: dict[str, socket.socket] = {}
    try:
        for field in fields(Ports):
            held[field.name] = _bind(last.get(field.name))
        ports = Ports(**{name: held[name].getsockname()[1] for name in held})
    finally:
        for bound in held.values():
            bound.close()
    file.write_text(json.dumps(asdict(ports)))
    return ports


def listen(port: int) -> socket.socket:
    """A listening socket. Raises OSError when the port is taken."""
    bound = _bind_exactly(port)
    bound.listen(1024)
    bound.setblocking(False)
    return bound


def _bind(preferred: int | None) -> socket.socket:
    tries = [random.choice(_CANDIDATES) for _ in range(_TRIES)]
    for port in tries if preferred is None else [preferred, *tries]:
        with suppress(OSError):
            return _bind_exactly(port)
    return _bind_exactly(0)


def _bind_exactly(port: int) -> socket.socket:
    # With the protocol named, asyncio sets TCP_NODELAY on what is accepted; without it every answer waits 40 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Connections of an earlier daemon that linger in TIME_WAIT do not keep its port from us.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound
