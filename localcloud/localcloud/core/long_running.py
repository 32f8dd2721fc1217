"""Long-running operations: a function in a thread, and a stored `google.longrunning.Operation` with its state."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from google.longrunning.operations_pb2 import Operation
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import code_pb2

from localcloud.core.api_errors import ApiError
from localcloud.core.ids import Ids
from localcloud.core.operation_run import OperationRun, take_fate
from localcloud.core.store import Kind, Store

_LOG = logging.getLogger(__name__)

OPERATIONS = Kind("operation", Operation)
_API_VERSIONS = Kind("operation api version", StringValue)

# Seconds that `close` waits for operations to notice their cancellation.
_CLOSE_SECONDS = 20.0


class Operations:
    """All long-running operations of the cloud, by their full names."""

    def __init__(self, store: Store, ids: Ids, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock
        self._running: dict[str, tuple[OperationRun, threading.Thread]] = {}
        self._changed = threading.Condition()
        self._closing = False

    def start(
        self,
        resource: str,
        *,
        metadata: Message,
        run: Callable[[OperationRun], Message],
        on_end: Callable[[], object] | None = None,
    ) -> Operation:
        """Starts `run` in a thread of its own, unless a fault gave the operation a fate; its result is the response.

        The operation is named `<resource>/operations/<id>`. An ApiError raised by `run` becomes the operation's error;
        any other exception is logged and becomes INTERNAL. `on_end` is called before clients see that it is done.
        """
        fate = take_fate()
        return self._start(resource, metadata, fate.befall if fate else run, on_end)

    def finished(self, resource: str, *, metadata: Message, response: Message) -> Operation:
        """An operation that is done at once, so that clients do not poll, unless a fault gave it a fate."""
        if fate := take_fate():
            return self._start(resource, metadata, fate.befall)
        name = self._new_name(resource)
        operation = Operation(name=name, done=True)
        operation.metadata.Pack(_stamped(metadata, self._clock(), None))
        operation.response.Pack(response)
        self._store.insert(OPERATIONS, name, operation)
        return operation

    def get(self, name: str) -> Operation:
        """Raises ApiError NOT_FOUND."""
        return self._store.require(OPERATIONS, name)

    def find(self, name: str) -> Operation | None:
        """The operation. A resource's is also found by its location's name, as gcloud asks; ids are unique there."""
        found = self._store.get(OPERATIONS, name)
        location, _, operation_id = name.partition("/operations/")
        if found is None and location.count("/") == 3:
            named = (each for each in self.list(location) if each.name.rpartition("/")[2] == operation_id)
            found = next(named, None)
        return found

    def list(self, parent: str) -> list[Operation]:
        """`parent`: a location or a resource; an operation of a resource is one of its location, too."""
        return self._store.list(OPERATIONS, parent)

    def delete(self, name: str) -> None:
        """Forgets a finished operation. Raises ApiError NOT_FOUND, FAILED_PRECONDITION while it runs."""
        if not self.get(name).done:
            raise ApiError("FAILED_PRECONDITION", f"Operation {name} is not done; cancel it first.")
        self._store.delete(OPERATIONS, name)
        self._store.delete(_API_VERSIONS, name)

    def cancel(self, name: str) -> None:
        """Requests the end of the operation, which may take time or be ignored. Raises ApiError NOT_FOUND."""
        self.get(name)
        with self._changed:
            handle, _ = self._running.get(name, (None, None))
        if handle is not None:
            threading.Thread(target=handle.cancel, name=f"cancel {name}", daemon=True).start()

    def wait(self, name: str, timeout_seconds: float) -> Operation:
        """The operation when it is done, or as it is after `timeout_seconds`. Raises ApiError NOT_FOUND."""
        with self._changed:
            self._changed.wait_for(lambda: name not in self._running, timeout_seconds)
        return self.get(name)

    def remember_api_version(self, name: str, version: str) -> None:
        """Stores the API version of the call that created the operation, because gRPC polls do not name theirs."""
        self._store.put(_API_VERSIONS, name, StringValue(value=version))

    def api_version(self, name: str) -> str:
        """The version of the call that created it; "" if no call did."""
        found = self._store.get(_API_VERSIONS, name)
        return found.value if found else ""

    def show_progress(self, name: str, metadata: Message) -> None:
        with self._store.update(OPERATIONS, name) as operation:
            operation.metadata.Pack(_stamped(metadata, self._clock(), operation))

    def abort_interrupted(self) -> None:
        """Ends operations that were active when an earlier daemon died. Call it once, before anything is started."""
        for operation in self._store.list(OPERATIONS):
            if not operation.done:
                self._end(operation.name, ApiError("ABORTED", "The local cloud was stopped while this was running."))

    def close(self) -> None:
        """Cancels active operations and waits for them; they end as ABORTED."""
        with self._changed:
            self._closing = True
            running = list(self._running.values())
        for handle, _ in running:
            handle.closing.set()
            threading.Thread(target=handle.cancel, name=f"cancel {handle.name}", daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: not self._running, _CLOSE_SECONDS)
        self.abort_interrupted()

    def _new_name(self, resource: str) -> str:
        """A new name. Operations of Resource Manager and Service Usage have no resource: `resource` is ""."""
        return f"{resource}/operations/{self._ids.numeric()}".removeprefix("/")

    def _start(
        self,
        resource: str,
        metadata: Message,
        work: Callable[[OperationRun], Message],
        on_end: Callable[[], object] | None = None,
    ) -> Operation:
        name = self._new_name(resource)
        operation = Operation(name=name)
        operation.metadata.Pack(_stamped(metadata, self._clock(), None))
        handle = OperationRun(name, self.show_progress)
        thread = threading.Thread(target=self._execute, args=(handle, work, on_end), name=name, daemon=True)
        with self._changed:
            if self._closing:
                raise ApiError("UNAVAILABLE", "The local cloud is stopping.")
            self._store.insert(OPERATIONS, name, operation)
            self._running[name] = (handle, thread)
        thread.start()
        return operation

    def _execute(
        self, handle: OperationRun, run: Callable[[OperationRun], Message], on_end: Callable[[], object] | None
    ) -> None:
        outcome: Message | ApiError
        try:
            outcome = run(handle)
        except ApiError as error:
            outcome = error
        except Exception as error:
            _LOG.exception("operation %s failed", handle.name)
            outcome = ApiError("INTERNAL", f"{type(error).__name__}: {error}")
        if isinstance(outcome, ApiError) and handle.cancelled.is_set():
            outcome = self._cancellation()
        if on_end is not None:
            on_end()
        self._end(handle.name, outcome)
        with self._changed:
            del self._running[handle.name]
            self._changed.notify_all()

    def _cancellation(self) -> ApiError:
        if self._closing:
            return ApiError("ABORTED", "The local cloud was stopped while this was running.")
        return ApiError("CANCELLED", "The operation was cancelled.")

    def _end(self, name: str, outcome: Message | ApiError) -> None:
        with self._store.update(OPERATIONS, name) as operation:
            operation.done = True
            if isinstance(outcome, ApiError):
                operation.error.code = code_pb2.Code.Value(outcome.code)
                operation.error.message = outcome.message
            else:
                operation.response.Pack(outcome)


def _stamped(metadata: Message, now: datetime, earlier: Operation | None) -> Message:
    """`metadata` with `generic_metadata.create_time` and `update_time`, where its type has them."""
    if "generic_metadata" not in metadata.DESCRIPTOR.fields_by_name:
        return metadata
    stamped = type(metadata)()
    stamped.CopyFrom(metadata)
    generic = stamped.generic_metadata
    generic.update_time.FromDatetime(now.astimezone(UTC))
    if earlier is not None:
        before = type(metadata)()
        if earlier.metadata.Unpack(before):
            generic.create_time.CopyFrom(before.generic_metadata.create_time)
    if not generic.HasField("create_time"):
        generic.create_time.CopyFrom(generic.update_time)
    return stamped
