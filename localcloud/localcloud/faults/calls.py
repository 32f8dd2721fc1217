"""A call to the local cloud with the properties that faults match, and the matching."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Protocol = Literal["http", "grpc"]


@dataclass(frozen=True)
class Call:
    """A call, as far as a fault chooses by it."""

    service: str
    """Name of the API, as its registration gives it, for example `vertex`."""
    protocol: Protocol
    host: str
    rpc: str = ""
    """`Service/Method` without the package; empty: the call is no RPC, as those of the Hub and of Cloud Storage."""
    method: str = ""
    """Of HTTP; empty over gRPC."""
    path: str = ""
    """Decoded; empty over gRPC."""
    query: Sequence[tuple[str, str]] = ()
    headers: Sequence[tuple[str, str]] = ()


def matches(pattern: str, value: str) -> bool:
    """As in a shell, except that `*` matches slashes, too; "" matches everything."""
    return not pattern or fnmatchcase(value, pattern)


def rpc_matches(pattern: str, rpc: str) -> bool:
    """Whether the RPC matches `DeployModel`, or `EndpointService/DeployModel`."""
    return not pattern or fnmatchcase(rpc if "/" in pattern else rpc.rpartition("/")[2], pattern)


def pairs_match(patterns: Mapping[str, str], pairs: Sequence[tuple[str, str]], key: Callable[[str], str] = str) -> bool:
    """Whether each named parameter or header is present with a value that matches its pattern."""
    return all(
        any(key(name) == key(wanted) and fnmatchcase(value, pattern) for name, value in pairs)
        for wanted, pattern in patterns.items()
    )
