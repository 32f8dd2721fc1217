"""Calls of google-cloud-storage as its samples show them, each once, against the local cloud; nothing is fetched."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

storage = pytest.importorskip("google.cloud.storage", reason="google-cloud-storage is not installed")


def test_buckets_are_listed_and_deleted(client: Any, bucket: Any) -> None:
    assert [found.name for found in client.list_buckets()] == [bucket.name]
    bucket.delete()
    assert client.lookup_bucket(bucket.name) is None


def test_labels_class_and_versions_of_a_bucket(client: Any, bucket: Any) -> None:
    bucket.labels = {"a": "b"}
    bucket.storage_class = "NEARLINE"
    bucket.versioning_enabled = True
    bucket.patch()
    found = client.get_bucket(bucket.name)
    assert (found.labels, found.storage_class, found.versioning_enabled) == ({"a": "b"}, "NEARLINE", True)


def test_lifecycle_rules(client: Any, bucket: Any) -> None:
    bucket.add_lifecycle_delete_rule(age=2)
    bucket.patch()
    assert list(client.get_bucket(bucket.name).lifecycle_rules) == [
        {"action": {"type": "Delete"}, "condition": {"age": 2}}
    ]
    bucket.clear_lifecycle_rules()
    bucket.patch()
    assert list(client.get_bucket(bucket.name).lifecycle_rules) == []


def test_uploads_and_downloads(bucket: Any, tmp_path: Path) -> None:
    (tmp_path / "from").write_bytes(b"some bytes")
    blob = bucket.blob("folder/object")
    blob.upload_from_filename(str(tmp_path / "from"), if_generation_match=0)
    blob.download_to_filename(str(tmp_path / "to"))
    assert (tmp_path / "to").read_bytes() == b"some bytes"
    assert blob.download_as_bytes(start=5, end=9) == b"bytes"
    assert blob.download_as_text() == "some bytes"


def test_streams(bucket: Any) -> None:
    with bucket.blob("stream").open("w") as written:
        written.write("line 1\nline 2\n")
    with bucket.blob("stream").open("r") as read:
        assert list(read) == ["line 1\n", "line 2\n"]


def test_metadata_of_an_object(bucket: Any) -> None:
    blob = bucket.blob("object")
    blob.upload_from_string("x", content_type="text/plain")
    blob.metadata = {"color": "Red"}
    blob.cache_control = "no-cache"
    blob.patch(if_metageneration_match=1)
    found = bucket.get_blob("object")
    assert (found.metadata, found.cache_control, found.content_type) == ({"color": "Red"}, "no-cache", "text/plain")


def test_listing_with_a_delimiter(client: Any, bucket: Any) -> None:
    for name in ("a/1.txt", "a/b/2.txt", "c.txt"):
        bucket.blob(name).upload_from_string(name)
    listed = client.list_blobs(bucket.name, prefix="a/", delimiter="/")
    assert [blob.name for blob in listed] == ["a/1.txt"]
    assert listed.prefixes == {"a/b/"}
    assert [blob.name for blob in client.list_blobs(bucket.name, match_glob="**/2.txt")] == ["a/b/2.txt"]


def test_copy_compose_rename_and_rewrite(client: Any, bucket: Any) -> None:
    first, second = bucket.blob("1"), bucket.blob("2")
    first.upload_from_string("one")
    second.upload_from_string("two")
    assert bucket.copy_blob(first, bucket, "copied").download_as_bytes() == b"one"
    both = bucket.blob("both")
    both.compose([first, second])
    assert both.download_as_bytes() == b"onetwo"
    target = bucket.blob("rewritten")
    assert target.rewrite(both) == (None, 6, 6)
    assert bucket.rename_blob(second, "renamed").name == "renamed"
    assert not second.exists()


def test_versions_of_an_object(client: Any, bucket: Any) -> None:
    bucket.versioning_enabled = True
    bucket.patch()
    blob = bucket.blob("object")
    blob.upload_from_string("one")
    first = blob.generation
    blob.upload_from_string("two")
    assert [found.generation for found in client.list_blobs(bucket.name, versions=True)] == [first, blob.generation]
    assert bucket.blob("object", generation=first).download_as_bytes() == b"one"


def test_holds(bucket: Any) -> None:
    from google.api_core.exceptions import Forbidden

    blob = bucket.blob("object")
    blob.upload_from_string("x")
    blob.temporary_hold = True
    blob.patch()
    with pytest.raises(Forbidden):
        blob.delete()
    blob.temporary_hold = False
    blob.patch()
    blob.delete()


def test_a_retention_policy(client: Any, bucket: Any) -> None:
    from google.api_core.exceptions import Forbidden

    bucket.retention_period = 3600
    bucket.patch()
    found = client.get_bucket(bucket.name)
    assert (found.retention_period, found.retention_policy_locked) == (3600, None)
    blob = bucket.blob("object")
    blob.upload_from_string("x")
    with pytest.raises(Forbidden):
        blob.delete()
    blob.reload()
    assert blob.retention_expiration_time > datetime.now(UTC) + timedelta(minutes=50)


def test_several_files_at_once(bucket: Any, tmp_path: Path) -> None:
    from google.cloud.storage import transfer_manager

    names = ["1", "2", "3"]
    for name in names:
        (tmp_path / name).write_text(name)
    done = transfer_manager.upload_many_from_filenames(
        bucket, names, source_directory=str(tmp_path), worker_type=transfer_manager.THREAD
    )
    assert done == [None, None, None]
    assert sorted(blob.name for blob in bucket.list_blobs()) == names


def test_a_batch(client: Any, bucket: Any) -> None:
    for name in ("1", "2"):
        bucket.blob(name).upload_from_string(name)
    with client.batch():
        for name in ("1", "2"):
            bucket.delete_blob(name)
    assert list(bucket.list_blobs()) == []


def test_who_may_do_what(bucket: Any) -> None:
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"user:somebody@example.com"}})
    bucket.set_iam_policy(policy)
    assert bucket.test_iam_permissions(["storage.objects.get"]) == ["storage.objects.get"]
