"""Long-running operations as a polling client sees them."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1beta1.types import CreateEndpointOperationMetadata, Endpoint
from google.longrunning.operations_pb2 import Operation
from google.rpc import code_pb2

from localcloud.core.api_errors import ApiError
from localcloud.core.ids import Ids
from localcloud.core.long_running import OperationRun, Operations
from localcloud.core.operation_run import Fate, decided
from localcloud.core.store import Store
from tests.waiting import PATIENCE_SECONDS

RESOURCE = "projects/1/locations/us-central1/endpoints/2"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
METADATA = CreateEndpointOperationMetadata.pb()()
ENDPOINT = Endpoint.pb()(name=RESOURCE)


def _operations(directory: Path) -> Operations:
    store = Store(directory / "store.db")
    return Operations(store, Ids("seed", lambda: store.next_number("ids")), lambda: NOON)


@pytest.fixture
def operations(tmp_path: Path) -> Operations:
    return _operations(tmp_path)


def test_a_finished_operation_holds_its_response(operations: Operations) -> None:
    started = operations.start(RESOURCE, metadata=METADATA, run=lambda run: ENDPOINT)
    assert not started.done
    assert started.name.startswith(f"{RESOURCE}/operations/")
    done = operations.wait(started.name, PATIENCE_SECONDS)
    endpoint = Endpoint.pb()()
    assert done.done
    assert done.response.Unpack(endpoint)
    assert endpoint == ENDPOINT


def test_metadata_is_stamped_with_the_clock(operations: Operations) -> None:
    metadata = CreateEndpointOperationMetadata.pb()()
    operations.finished(RESOURCE, metadata=METADATA, response=ENDPOINT).metadata.Unpack(metadata)
    assert metadata.generic_metadata.create_time.ToDatetime(UTC) == NOON
    assert metadata.generic_metadata.update_time.ToDatetime(UTC) == NOON


def test_progress_is_seen_while_it_runs(operations: Operations) -> None:
    shown, looked = threading.Event(), threading.Event()

    def run(handle: OperationRun) -> object:
        progress = CreateEndpointOperationMetadata.pb()()
        progress.generic_metadata.partial_failures.add(message="one replica is late")
        handle.update(progress)
        shown.set()
        looked.wait(PATIENCE_SECONDS)
        return ENDPOINT

    name = operations.start(RESOURCE, metadata=METADATA, run=run).name
    assert shown.wait(PATIENCE_SECONDS)
    metadata = CreateEndpointOperationMetadata.pb()()
    operations.get(name).metadata.Unpack(metadata)
    looked.set()
    assert metadata.generic_metadata.partial_failures[0].message == "one replica is late"
    assert metadata.generic_metadata.create_time.ToDatetime(UTC) == NOON


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ApiError("RESOURCE_EXHAUSTED", "no more GPUs"), code_pb2.RESOURCE_EXHAUSTED, "no more GPUs"),
        (KeyError("bug"), code_pb2.INTERNAL, "KeyError: 'bug'"),
    ],
)
def test_a_failure_becomes_the_error(operations: Operations, error: Exception, code: int, message: str) -> None:
    def run(handle: OperationRun) -> object:
        raise error

    done = operations.wait(operations.start(RESOURCE, metadata=METADATA, run=run).name, PATIENCE_SECONDS)
    assert (done.done, done.error.code, done.error.message) == (True, code, message)


def _until_cancelled(handle: OperationRun) -> object:
    handle.cancelled.wait(PATIENCE_SECONDS)
    handle.raise_if_cancelled()
    return ENDPOINT


def test_a_cancelled_operation_ends_as_cancelled(operations: Operations) -> None:
    called = threading.Event()

    def run(handle: OperationRun) -> object:
        handle.on_cancel(called.set)
        return _until_cancelled(handle)

    name = operations.start(RESOURCE, metadata=METADATA, run=run).name
    operations.cancel(name)
    assert operations.wait(name, PATIENCE_SECONDS).error.code == code_pb2.CANCELLED
    assert called.wait(PATIENCE_SECONDS)


def test_success_in_spite_of_a_cancel_stays_success(operations: Operations) -> None:
    def run(handle: OperationRun) -> object:
        handle.cancelled.wait(PATIENCE_SECONDS)
        return ENDPOINT

    name = operations.start(RESOURCE, metadata=METADATA, run=run).name
    operations.cancel(name)
    assert operations.wait(name, PATIENCE_SECONDS).HasField("response")


def test_a_running_operation_cannot_be_deleted(operations: Operations) -> None:
    name = operations.start(RESOURCE, metadata=METADATA, run=_until_cancelled).name
    with pytest.raises(ApiError) as refused:
        operations.delete(name)
    assert refused.value.code == "FAILED_PRECONDITION"
    operations.cancel(name)
    operations.wait(name, PATIENCE_SECONDS)
    operations.delete(name)
    with pytest.raises(ApiError):
        operations.get(name)


def test_what_ran_when_the_daemon_died_is_aborted(operations: Operations, tmp_path: Path) -> None:
    release = threading.Event()

    def run(handle: OperationRun) -> object:
        release.wait(PATIENCE_SECONDS)
        return ENDPOINT

    name = operations.start(RESOURCE, metadata=METADATA, run=run).name
    finished = operations.finished(RESOURCE, metadata=METADATA, response=ENDPOINT)
    successor = _operations(tmp_path)
    successor.abort_interrupted()
    aborted = successor.get(name)
    release.set()
    assert (aborted.done, aborted.error.code) == (True, code_pb2.ABORTED)
    assert successor.get(finished.name) == finished


def test_closing_cancels_what_runs_and_calls_it_aborted(operations: Operations) -> None:
    name = operations.start(RESOURCE, metadata=METADATA, run=_until_cancelled).name
    operations.close()
    assert operations.get(name).error.code == code_pb2.ABORTED
    with pytest.raises(ApiError):
        operations.start(RESOURCE, metadata=METADATA, run=_until_cancelled)


def test_a_location_lists_the_operations_of_its_resources(operations: Operations) -> None:
    made = operations.finished(RESOURCE, metadata=METADATA, response=ENDPOINT)
    operations.finished("projects/1/locations/europe-west4", metadata=METADATA, response=ENDPOINT)
    listed: list[Operation] = operations.list("projects/1/locations/us-central1")
    assert listed == [made]


def test_a_fate_takes_the_place_of_the_work(operations: Operations) -> None:
    worked, ended = threading.Event(), threading.Event()
    with decided(Fate(ApiError("UNAVAILABLE", "stockout"))):
        struck = operations.start(RESOURCE, metadata=METADATA, run=lambda run: worked.set(), on_end=ended.set)
        spared = operations.start(RESOURCE, metadata=METADATA, run=lambda run: ENDPOINT)
    failed = operations.wait(struck.name, PATIENCE_SECONDS)
    assert (failed.error.code, failed.error.message) == (code_pb2.UNAVAILABLE, "stockout")
    assert (worked.is_set(), ended.is_set()) == (False, True)
    assert operations.wait(spared.name, PATIENCE_SECONDS).HasField("response")


def test_a_fate_makes_what_was_finished_fail(operations: Operations) -> None:
    with decided(Fate(ApiError("INTERNAL", "late"))):
        begun = operations.finished(RESOURCE, metadata=METADATA, response=ENDPOINT)
    assert not begun.done
    assert operations.wait(begun.name, PATIENCE_SECONDS).error.message == "late"


@pytest.mark.parametrize("ignores_cancel", [False, True])
def test_what_never_ends_ends_with_a_cancel_or_with_the_cloud(operations: Operations, ignores_cancel: bool) -> None:
    with decided(Fate(None, ignores_cancel=ignores_cancel)):
        name = operations.start(RESOURCE, metadata=METADATA, run=lambda run: ENDPOINT).name
    operations.cancel(name)
    if not ignores_cancel:
        assert operations.wait(name, PATIENCE_SECONDS).error.code == code_pb2.CANCELLED
    assert operations.wait(name, 0.2).done is not ignores_cancel
    operations.close()
    expected = code_pb2.ABORTED if ignores_cancel else code_pb2.CANCELLED
    assert operations.get(name).error.code == expected
