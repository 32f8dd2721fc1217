"""Waits for long-running operations with a deadline, and cancels them.

Google's clients wait for ever (google-cloud-aiplatform 1.165.1 ends in `operation.result(timeout=None)`) and cannot be
woken by a signal.
"""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from google.api_core import exceptions
from google.longrunning import operations_pb2

from vertex_vllm.error_data import Refusal
from vertex_vllm.google.error_boundary import refusal_in
from vertex_vllm.retries import TRANSIENT
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY
from vertex_vllm.vertex_ai.interruption import Interruption

_FIRST_POLL_SECONDS = 0.2
_SLOWEST_POLL_SECONDS = 15.0
_POLL_GROWTH = 1.5
_REPORT_SECONDS = 30.0
# For one poll. A signal that comes meanwhile is noticed afterwards, and a stopped container has 30 s.
_POLL_SECONDS = 10.0
_LEAST_CALL_SECONDS = 3.0

log = logging.getLogger(__name__)


class Deadline:
    """A time limit. With an interruption, it also expires when the process receives a stop signal."""

    def __init__(self, seconds: float, asked: Interruption | None = None) -> None:
        self.seconds = seconds
        self._asked = asked
        self._start = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    @property
    def left(self) -> float:
        return 0.0 if self._asked and self._asked.signal_name else max(self.seconds - self.elapsed, 0.0)

    def share(self, parts: int) -> "Deadline":
        """A deadline for one of `parts` equal parts of the time that is left."""
        return Deadline(self.left / parts, self._asked)

    def pause(self, seconds: float) -> bool:
        """Sleeps `seconds`, waking early on a stop signal.

        Always returns False: check `left` to see whether to stop.
        """
        if self._asked:
            self._asked.wait(seconds)
        else:
            time.sleep(seconds)
        return False


class OperationsClient(Protocol):
    """Any of Vertex AI's clients: each can ask about operations and cancel them."""

    def get_operation(
        self, request: operations_pb2.GetOperationRequest, **options: object
    ) -> operations_pb2.Operation: ...

    def cancel_operation(self, request: operations_pb2.CancelOperationRequest, **options: object) -> None: ...


class OperationUnfinishedError(Exception):
    """The wait ended before the operation did: out of time, or after a stop signal."""


def wait_for_operation(
    client: OperationsClient,
    name: str,
    deadline: Deadline,
    doing: str,
    pause: Callable[[float], bool] | None = None,
) -> operations_pb2.Operation:
    """Waits until the operation is done, and returns it, succeeded or failed.

    Polls quickly at first, then every 15 s; a poll with a transient error is repeated. `pause` sleeps, and answers
    True to stop waiting; by default it is the deadline's. Raises OperationUnfinishedError then, and when the
    deadline passes.
    """
    interval, report_at = _FIRST_POLL_SECONDS, deadline.elapsed + _REPORT_SECONDS
    while True:
        operation = _poll(client, name, max(_LEAST_CALL_SECONDS, min(_POLL_SECONDS, deadline.left)))
        if operation is not None and operation.done:
            return operation
        if not deadline.left or (pause or deadline.pause)(min(interval, deadline.left)):
            raise OperationUnfinishedError(name)
        interval = min(interval * _POLL_GROWTH, _SLOWEST_POLL_SECONDS)
        if deadline.elapsed >= report_at:
            log.info("%s: %.0f s so far, %.0f s at most", doing, deadline.elapsed, deadline.seconds)
            report_at += _REPORT_SECONDS


def _poll(client: OperationsClient, name: str, seconds: float) -> operations_pb2.Operation | None:
    request = operations_pb2.GetOperationRequest(name=name)
    try:
        # No retry here: the loop around this call is the retry, and a signal or the deadline ends it.
        return client.get_operation(request, retry=None, timeout=seconds)
    except TRANSIENT as error:
        log.warning("Could not ask about operation %s, will ask again: %s", name, error)
        return None


def cancel_operation(client: OperationsClient, name: str, seconds: float = CALL_SECONDS) -> None:
    """Requests the cancellation; `wait_for_operation` sees whether and when the operation ends.

    `seconds` is for the call with its retries. It "may return UNIMPLEMENTED" (REST reference, `operations.cancel`).
    """
    request = operations_pb2.CancelOperationRequest(name=name)
    try:
        client.cancel_operation(request, retry=RETRY.with_timeout(seconds), timeout=seconds)
    except exceptions.MethodNotImplemented as error:
        log.warning("Operation %s cannot be cancelled, what it brings up has to be undeployed: %s", name, error)
    except (exceptions.NotFound, exceptions.FailedPrecondition):
        log.info("Operation %s had ended before it could be cancelled", name)
    except TRANSIENT as error:
        log.warning("Operation %s could not be cancelled: %s", name, error)


def failure(operation: operations_pb2.Operation) -> Refusal | None:
    """The error of a finished operation; None where it succeeded."""
    return refusal_in(operation.error) if operation.HasField("error") else None
