"""Ends calls of Google's clients soon after a stop signal, also when the service does not answer.

A client's call ends by its own timeout alone: a minute, its retries included. A stopped container has half a minute.
"""

from functools import partial
from typing import Any, TypeVar, cast

from vertex_vllm.vertex_ai.interruption import Interruption

STOPPED_CALL_SECONDS = 4.0
"""Seconds for a call that is active when the signal arrives, and for each later one."""

Client = TypeVar("Client")


def stoppable(client: Client, asked: Interruption) -> Client:
    """The client; each of its calls raises StillCallingError where a signal came and no answer did."""
    return cast("Client", _Stoppable(client, asked))


class _Stoppable:
    def __init__(self, client: Any, asked: Interruption) -> None:
        self._client, self._asked = client, asked

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            return self._asked.bounded(partial(method, *arguments, **options), STOPPED_CALL_SECONDS)

        return call
