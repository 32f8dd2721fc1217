"""A call to the local cloud, as faults look at it, and which calls a fault is meant for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Protocol = Literal["http", "grpc"]


@dataclass(frozen=True)
class Call:
    """`rpc` is `Service/Method` without the package, "" for what has no such name; `path` is decoded, "" over gRPC."""

    service: str
    protocol: Protocol
    host: str
    rpc: str = ""
    method: str = ""
    path: str = ""
    query: Sequence[tuple[str, str]] = ()
    headers: Sequence[tuple[str, str]] = ()


def matches(pattern: str, value: str) -> bool:
    """As in a shell, except that `*` matches slashes, too; "" matches everything."""
    return not pattern or fnmatchcase(value, pattern)


def rpc_matches(pattern: str, rpc: str) -> bool:
    """`DeployModel`, or `EndpointService/DeployModel` where the name alone is not enough."""
    return not pattern or fnmatchcase(rpc if "/" in pattern else rpc.rpartition("/")[2], pattern)


def pairs_match(patterns: Mapping[str, str], pairs: Sequence[tuple[str, str]], key: Callable[[str], str] = str) -> bool:
    """Whether each named parameter or header is there, with a value of its pattern."""
    return all(
        any(key(name) == key(wanted) and fnmatchcase(value, pattern) for name, value in pairs)
        for wanted, pattern in patterns.items()
    )
