"""The first failure ends all copies of a process, with a message that says what to do."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from google.auth.exceptions import RefreshError

from tests.vertex_vllm.mirror.conftest import SHARDS, SMALL_STEPS, SharedModel
from vertex_vllm.errors import ServiceError
from vertex_vllm.hub.download import OnPiece, ignore_piece
from vertex_vllm.hub.file_listing import HubFile, list_files
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.large_files import LargeFiles
from vertex_vllm.mirror.progress import Meter, ignore_progress


class Failing:
    """A source whose credentials were revoked."""

    def read_into(self, view: memoryview, file: HubFile, start: int, on_piece: OnPiece = ignore_piece) -> None:
        raise RefreshError("the key was revoked")

    def where(self, file: HubFile) -> str:
        return file.path

    def close(self) -> None:
        """Nothing is open."""


def test_a_failure_in_a_thread_is_the_one_that_is_told(shared_model: SharedModel, project: str) -> None:
    listing = list_files(shared_model.id, shared_model.commit, None)
    file = next(file for file in listing if file.path in SHARDS)
    place = shared_model.place()
    bucket = MirrorBucket(place, project)
    with ThreadPoolExecutor(2 * SMALL_STEPS.connections) as threads:
        large_files = LargeFiles(Failing(), bucket, SMALL_STEPS, threads)
        with pytest.raises(ServiceError) as raised:
            large_files.copy(file, Meter(shared_model.id, {file.path: file.size}, ignore_progress).file(file.path))
    said = f"{place}/{file.path}: no usable Google credentials for Cloud Storage: the key was revoked. Run `gcloud"
    assert str(raised.value).startswith(said)
    assert large_files.failure is raised.value
