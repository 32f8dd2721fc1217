"""Soft delete: deleted objects that a bucket with such a policy keeps, lists and restores."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from storage_server import RandomIds, project_number

from localcloud.services.storage import create_app


@pytest.fixture
def keeping(bucket: Any) -> Any:
    bucket.soft_delete_policy.retention_duration_seconds = 7 * 24 * 3600
    bucket.patch()
    return bucket


def kept(bucket: Any) -> list[tuple[str, str]]:
    return [(blob.name, blob._properties["size"]) for blob in bucket.list_blobs(soft_deleted=True)]


def test_what_is_deleted_and_what_is_replaced_is_kept(keeping: Any) -> None:
    blob = keeping.blob("model/weights")
    blob.upload_from_string(b"first")
    blob.upload_from_string(b"the second")
    blob.delete()
    assert list(keeping.list_blobs()) == []
    assert kept(keeping) == [("model/weights", "5"), ("model/weights", "10")]
    with pytest.raises(NotFound):
        blob.download_as_bytes()


def test_a_generation_is_brought_back_with_its_bytes(keeping: Any) -> None:
    blob = keeping.blob("model/config.json")
    blob.upload_from_string(b"{}", content_type="application/json")
    generation = blob.generation
    blob.delete()
    restored = keeping.restore_blob("model/config.json", generation=generation)
    assert restored.generation != generation
    assert (restored.download_as_bytes(), restored.content_type) == (b"{}", "application/json")
    assert kept(keeping) == []
    with pytest.raises(NotFound):
        keeping.restore_blob("model/config.json", generation=generation)


def test_without_a_policy_nothing_is_kept_and_no_byte_stays(bucket: Any) -> None:
    bucket.soft_delete_policy.retention_duration_seconds = 0
    bucket.patch()
    blob = bucket.blob("x")
    blob.upload_from_string(b"x")
    blob.delete()
    assert kept(bucket) == []


def test_what_is_kept_is_gone_for_good_when_its_time_is_over(serve: Any, tmp_path: Path) -> None:
    now = [datetime(2026, 11, 30, tzinfo=UTC)]
    app = create_app(tmp_path, project_number=project_number, clock=lambda: now[0], ids=RandomIds())
    with serve(app) as url:
        client = storage.Client("p", AnonymousCredentials(), client_options={"api_endpoint": url})
        bucket = client.create_bucket("keeping", location="europe-west4")
        bucket.soft_delete_policy.retention_duration_seconds = 7 * 24 * 3600
        bucket.patch()
        blob = bucket.blob("x")
        blob.upload_from_string(b"x")
        blob.delete()
        now[0] += timedelta(days=7) - timedelta(seconds=1)
        assert kept(bucket) == [("x", "1")]
        now[0] += timedelta(seconds=1)
        assert kept(bucket) == []
        assert [path for path in (tmp_path / "bytes").rglob("*") if path.is_file()] == []
