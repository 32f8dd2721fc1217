"""Which user of this machine is at the other end of a loopback connection, as Linux's kernel says."""

import os
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_TABLE = Path("/proc/net/tcp")


def is_own_process(peer: Sequence[Any] | None, here: Sequence[Any] | None) -> bool:
    """Whether a process of this process's own user opened the connection from `peer` to `here`, both (IPv4, port).

    Such a process can read the state folder, so a key of that folder would prove nothing more. False where the kernel
    does not say it: without /proc, and for other kinds of addresses.
    """
    return _user_of(peer, here) == os.geteuid()


def is_another_users(peer: Sequence[Any] | None, here: Sequence[Any] | None) -> bool:
    """Whether the kernel says that a process of another user opened the connection from `peer` to `here`."""
    return _user_of(peer, here) not in (None, os.geteuid())


def _user_of(peer: Sequence[Any] | None, here: Sequence[Any] | None) -> int | None:
    """The owner of the peer's socket, whose local address is `peer`: columns 1, 2 and 7 of the kernel's table."""
    if peer is None or here is None:
        return None
    wanted = [_row(peer), _row(here)]
    try:
        lines = _TABLE.read_text().splitlines()
    except OSError:
        return None
    found = (line.split() for line in lines if wanted[0] in line)
    return next((int(columns[7]) for columns in found if columns[1:3] == wanted), None)


def _row(address: Sequence[Any]) -> str:
    """(host, port) as the table has it: the IPv4 address as a number of the machine's byte order, the port plain."""
    try:
        (number,) = struct.unpack("=I", socket.inet_aton(str(address[0])))
    except OSError:
        return "no IPv4 address"
    return f"{number:08X}:{int(address[1]):04X}"
