"""Calls of google-cloud-storage about settings, names, large files and refusals, each once; nothing is fetched."""

import gzip
import io
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

storage = pytest.importorskip("google.cloud.storage", reason="google-cloud-storage is not installed")

KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"


def put(bucket: Any, name: str, content: bytes = b"0123456789") -> Any:
    blob = bucket.blob(name)
    blob.upload_from_string(content)
    return blob


def change(setting: str, value: Any) -> Callable[[Any], Any]:
    def changed(bucket: Any) -> None:
        setattr(bucket, setting, value)
        bucket.patch()

    return changed


def test_settings_that_change_nothing_of_what_is_stored(client: Any, bucket: Any) -> None:
    bucket.cors = [{"origin": ["*"], "method": ["GET"], "responseHeader": ["x"], "maxAgeSeconds": 3600}]
    bucket.configure_website("index.html", "404.html")
    bucket.enable_logging("logs", "prefix")
    bucket.patch()
    found = client.get_bucket(bucket.name)
    assert (found.cors[0]["maxAgeSeconds"], found.get_logging()["logBucket"]) == (3600, "logs")


def test_public_access_and_uniform_access(bucket: Any) -> None:
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.patch()
    assert bucket.iam_configuration.uniform_bucket_level_access_locked_time > datetime.now(UTC)
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.version = 3
    condition = {"title": "some", "expression": "resource.name.startsWith('projects/_/buckets/b/objects/a')"}
    member = {"user:somebody@example.com"}
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": member, "condition": condition})
    bucket.set_iam_policy(policy)
    found = bucket.get_iam_policy(requested_policy_version=3)
    assert [each["condition"]["title"] for each in found.bindings if "condition" in each] == ["some"]


def test_a_locked_retention_policy_stays(bucket: Any) -> None:
    from google.api_core.exceptions import Forbidden

    change("retention_period", 1)(bucket)
    bucket.lock_retention_policy()
    assert bucket.retention_policy_locked
    with pytest.raises(Forbidden, match="locked"):
        change("retention_period", None)(bucket)


def test_an_object_of_a_bucket_with_object_retention_is_kept(client: Any) -> None:
    from google.api_core.exceptions import Forbidden

    name = f"strangers-{uuid.uuid4().hex[:12]}"
    bucket = client.create_bucket(name, location="us-central1", enable_object_retention=True)
    blob = put(bucket, "kept")
    blob.retention.mode = "Unlocked"
    blob.retention.retain_until_time = datetime(2999, 1, 1, tzinfo=UTC)
    blob.patch()
    with pytest.raises(Forbidden):
        blob.delete()
    blob.retention.mode = None
    blob.retention.retain_until_time = None
    blob.patch(override_unlocked_retention=True)
    blob.delete()


def test_what_was_deleted_is_restored(client: Any, bucket: Any) -> None:
    blob = put(bucket, "deleted")
    blob.delete()
    (deleted,) = client.list_blobs(bucket, soft_deleted=True)
    bucket.restore_blob("deleted", generation=deleted.generation)
    assert bucket.blob("deleted").download_as_bytes() == b"0123456789"


def test_places_of_buckets(client: Any) -> None:
    names = [f"strangers-{uuid.uuid4().hex[:12]}" for _ in range(2)]
    two = client.create_bucket(names[0], location="US", data_locations=["US-EAST1", "US-WEST1"])
    assert (two.location_type, two.data_locations) == ("dual-region", ["US-EAST1", "US-WEST1"])
    folders = client.bucket(names[1])
    folders.hierarchical_namespace_enabled = True
    folders.iam_configuration.uniform_bucket_level_access_enabled = True
    folders.create(location="us-central1")
    assert client.get_bucket(names[1]).hierarchical_namespace_enabled


def test_compressed_content_is_taken_apart_unless_raw(bucket: Any) -> None:
    blob = bucket.blob("text.gz")
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(b"text"))
    assert blob.download_as_bytes() == b"text"
    assert gzip.decompress(blob.download_as_bytes(raw_download=True)) == b"text"


def test_large_files_go_in_parts(bucket: Any, tmp_path: Path) -> None:
    from google.cloud.storage import transfer_manager as manager

    part, written, read = 5 << 20, tmp_path / "written", tmp_path / "read"
    written.write_bytes(os.urandom(2 * part + 7))
    threads = {"chunk_size": part, "worker_type": manager.THREAD}
    manager.upload_chunks_concurrently(str(written), bucket.blob("large"), **threads)
    manager.download_chunks_concurrently(bucket.blob("large"), str(read), **threads)
    assert read.read_bytes() == written.read_bytes()
    resumable = bucket.blob("resumable")
    resumable.chunk_size = 256 << 10
    resumable.upload_from_file(io.BytesIO(written.read_bytes()[:1_000_000]))
    assert resumable.size == 1_000_000


def test_pages_offsets_and_globs(client: Any, bucket: Any) -> None:
    for name in ("a1", "a2", "b1", "b2", "c/1"):
        put(bucket, name)
    assert [len(list(page)) for page in client.list_blobs(bucket, page_size=2).pages] == [2, 2, 1]
    assert [blob.name for blob in client.list_blobs(bucket, start_offset="a2", end_offset="b2")] == ["a2", "b1"]
    assert [blob.name for blob in client.list_blobs(bucket, match_glob="?1")] == ["a1", "b1"]


def test_class_and_time_of_an_object(bucket: Any) -> None:
    blob = put(bucket, "object")
    blob.update_storage_class("NEARLINE")
    blob.custom_time = datetime(2030, 1, 1, tzinfo=UTC)
    blob.patch()
    found = bucket.get_blob("object")
    assert (found.storage_class, found.custom_time) == ("NEARLINE", datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "ü",
        "u\u0308",
        "a#b",
        "a?b",
        "a%2Fb",
        "x/../y",
        "./z",
        "a\u202fb",
        "tail ",
        "😀",
        "a\tb",
        "back\\slash",
        "x" * 1024,
    ],
)
def test_any_name_is_one_object(bucket: Any, name: str) -> None:
    put(bucket, name)
    assert [blob.name for blob in bucket.list_blobs()] == [name]
    assert bucket.blob(name).download_as_bytes(start=8) == b"89"
    bucket.blob(name).delete()


@pytest.mark.parametrize("name", ["a\nb", "a\rb", ".", "..", ".well-known/acme-challenge/x", "x" * 1025])
def test_names_that_no_object_has(bucket: Any, name: str) -> None:
    from google.api_core.exceptions import BadRequest

    with pytest.raises(BadRequest):
        put(bucket, name)


def test_answers_that_are_errors(client: Any, bucket: Any) -> None:
    from google.api_core import exceptions

    blob = put(bucket, "object")
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string("x", if_generation_match=0)
    with pytest.raises(exceptions.NotModified):
        blob.download_as_bytes(if_generation_not_match=blob.generation)
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        blob.download_as_bytes(start=1000)
    with pytest.raises(exceptions.Conflict, match="not empty"):
        bucket.delete()
    with pytest.raises(exceptions.Conflict):
        client.create_bucket(bucket.name, location="us-central1")
    with pytest.raises(exceptions.NotFound):
        bucket.blob("nothing").download_as_bytes()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (change("requester_pays", True), "requester pays"),
        (change("default_kms_key_name", KEY), "keys of Cloud KMS"),
        (lambda bucket: bucket.blob("x", kms_key_name=KEY).upload_from_string("x"), "Cloud KMS|kmsKeyName"),
        (lambda bucket: bucket.blob("x", encryption_key=b"k" * 32).upload_from_string("x"), "customer-supplied"),
        (lambda bucket: put(bucket, "x").make_public(), "/acl"),
        (lambda bucket: list(bucket.default_object_acl), "defaultObjectAcl"),
        (lambda bucket: bucket.notification(topic_name="t").create(), "notificationConfigs"),
        (lambda bucket: bucket.move_blob(put(bucket, "x"), "y"), "moveTo"),
        (lambda bucket: bucket.client.create_hmac_key("x@p.iam.gserviceaccount.com"), "hmacKeys"),
        (lambda bucket: list(bucket.client.list_hmac_keys()), "hmacKeys"),
    ],
)
def test_what_is_not_carried_out_is_refused_by_name(bucket: Any, call: Callable[[Any], Any], words: str) -> None:
    from google.api_core.exceptions import MethodNotImplemented

    with pytest.raises(MethodNotImplemented, match=words):
        call(bucket)
