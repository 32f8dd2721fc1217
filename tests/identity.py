"""Another account as this process's identity."""

from collections.abc import Iterator
from contextlib import contextmanager

from localcloud.daemon import Connection
from vertex_vllm.google import shared_clients


@contextmanager
def acting_as(cloud: Connection, email: str) -> Iterator[None]:
    """The local cloud's metadata server gives out tokens of `email`, and the product asks for one."""
    with cloud.user(email):
        shared_clients.forget()
        try:
            yield
        finally:
            shared_clients.forget()
