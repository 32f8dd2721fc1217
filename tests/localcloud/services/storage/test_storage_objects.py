import base64
import hashlib

import google_crc32c
import pytest
from google.api_core.exceptions import BadRequest, Forbidden, NotFound, PreconditionFailed


def crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def test_metadata_of_an_upload(bucket):
    bucket.blob("folder/a.txt").upload_from_string("hello", content_type="text/plain")

    found = bucket.get_blob("folder/a.txt")

    md5 = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    assert (found.size, found.content_type, found.crc32c, found.md5_hash) == (5, "text/plain", crc32c(b"hello"), md5)
    assert (found.metageneration, found.storage_class, found.component_count) == (1, "STANDARD", None)
    assert found.updated == found.time_created


def test_generations_only_grow(bucket):
    blob = bucket.blob("object")
    generations = []
    for number in range(20):
        blob.upload_from_string(str(number))
        generations.append(blob.generation)
    assert generations == sorted(set(generations))


def test_a_missing_object(bucket):
    assert bucket.get_blob("missing") is None
    with pytest.raises(NotFound, match=f"No such object: {bucket.name}/missing"):
        bucket.blob("missing").delete()


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("folder/a b.txt", "folder%2Fa%20b.txt"),
        ("key=1,2;(x)'y'!$&*:@~", "key=1,2;(x)'y'!$&*:@~"),
        ('+%?#[]{}|^`<>"\\', "%2B%25%3F%23%5B%5D%7B%7D%7C%5E%60%3C%3E%22%5C"),
        ("grün☺", "gr%C3%BCn%E2%98%BA"),
    ],
)
def test_links_leave_what_a_path_may_hold_as_it_is(bucket, name, segment):
    blob = bucket.blob(name)
    blob.upload_from_string("bytes")
    assert blob.self_link.partition("/o/")[2] == segment
    assert blob.media_link.partition("/o/")[2] == f"{segment}?generation={blob.generation}&alt=media"
    assert bucket.blob(name).download_as_bytes() == b"bytes"


def test_patch_adds_changes_and_removes_metadata(bucket):
    blob = bucket.blob("object")
    blob.metadata = {"kept": "1", "gone": "2"}
    blob.upload_from_string("bytes")
    blob.metadata = {"kept": "1", "gone": None, "new": "3"}
    blob.cache_control = "no-cache"
    blob.patch()

    found = bucket.get_blob("object")

    assert (found.metadata, found.cache_control, found.metageneration) == ({"kept": "1", "new": "3"}, "no-cache", 2)
    assert found.generation == blob.generation


def test_update_replaces_metadata(bucket):
    blob = bucket.blob("object")
    blob.content_language = "en"
    blob.upload_from_string("bytes")
    blob.content_language = None
    blob.metadata = {"only": "this"}
    blob.update()
    found = bucket.get_blob("object")
    assert (found.metadata, found.content_language) == ({"only": "this"}, None)


def test_compose_joins_bytes_and_checksum(bucket):
    for name, data in (("one", b"first,"), ("two", b"second")):
        bucket.blob(name).upload_from_string(data)
    both = bucket.blob("both")
    both.compose([bucket.blob("one"), bucket.blob("two")])
    twice = bucket.blob("twice")
    twice.compose([both, bucket.blob("one")])

    assert twice.download_as_bytes() == b"first,secondfirst,"
    found = bucket.get_blob("twice")
    assert (found.component_count, found.md5_hash) == (3, None)
    assert found.crc32c == crc32c(b"first,secondfirst,")


def test_compose_needs_its_sources_as_they_were(bucket):
    bucket.blob("one").upload_from_string("1")
    with pytest.raises(NotFound):
        bucket.blob("both").compose([bucket.blob("one"), bucket.blob("missing")])
    with pytest.raises(PreconditionFailed):
        bucket.blob("both").compose([bucket.blob("one")], if_source_generation_match=[1])
    with pytest.raises(BadRequest, match="not between 1 and 32"):
        bucket.blob("both").compose([bucket.blob("one")] * 33)
    assert bucket.get_blob("both") is None


def test_a_composed_object_outlives_its_sources(bucket):
    bucket.blob("one").upload_from_string("1")
    bucket.blob("two").upload_from_string("2")
    bucket.blob("both").compose([bucket.blob("one"), bucket.blob("two")])
    bucket.delete_blobs([bucket.blob("one"), bucket.blob("two")])
    assert bucket.blob("both").download_as_bytes() == b"12"


def test_compose_can_delete_its_sources(bucket):
    bucket.blob("one").upload_from_string("1")
    bucket.blob("both").compose([bucket.blob("one")], delete_source_objects=True)
    assert [blob.name for blob in bucket.list_blobs()] == ["both"]


def test_copy_keeps_metadata_and_bytes(bucket, client):
    source = bucket.blob("source")
    source.metadata = {"k": "v"}
    source.upload_from_string("bytes", content_type="text/x-own")
    target = client.create_bucket(bucket.name + "-target")
    copied = bucket.copy_blob(source, target, "a/copy")
    source.delete()
    assert (copied.metadata, copied.content_type) == ({"k": "v"}, "text/x-own")
    assert target.blob("a/copy").download_as_bytes() == b"bytes"


def test_rewrite_replaces_metadata_when_given(bucket):
    source = bucket.blob("source")
    source.metadata = {"k": "v"}
    source.upload_from_string("bytes")
    target = bucket.blob("target")
    target.content_type = "text/x-new"
    assert target.rewrite(source) == (None, 5, 5)
    found = bucket.get_blob("target")
    assert (found.content_type, found.metadata) == ("text/x-new", None)


def test_rewrite_checks_both_ends(bucket):
    source, target = bucket.blob("source"), bucket.blob("target")
    source.upload_from_string("bytes")
    target.upload_from_string("older")
    with pytest.raises(PreconditionFailed):
        target.rewrite(source, if_source_generation_match=1)
    with pytest.raises(PreconditionFailed):
        target.rewrite(source, if_generation_match=0)
    assert target.download_as_bytes() == b"older"


def test_update_storage_class_keeps_the_bytes(bucket):
    blob = bucket.blob("object")
    blob.upload_from_string("bytes", content_type="text/x-own")
    blob.update_storage_class("NEARLINE")
    found = bucket.get_blob("object")
    assert (found.storage_class, found.content_type) == ("NEARLINE", "text/x-own")
    assert found.download_as_bytes() == b"bytes"
    with pytest.raises(BadRequest, match="storage class"):
        bucket.blob("copy").update_storage_class("LUKEWARM")


def test_a_versioned_bucket_keeps_what_is_replaced_and_deleted(bucket):
    bucket.versioning_enabled = True
    bucket.patch()
    blob = bucket.blob("object")
    blob.upload_from_string("first")
    first = blob.generation
    blob.upload_from_string("second")
    bucket.blob("object").delete()

    assert bucket.get_blob("object") is None
    versions = list(bucket.list_blobs(versions=True))
    assert [version.download_as_bytes() for version in versions] == [b"first", b"second"]
    assert all(version.time_deleted for version in versions)

    bucket.blob("object", generation=first).delete()
    assert [version.generation for version in bucket.list_blobs(versions=True)] == [versions[1].generation]


def test_without_versioning_a_replaced_generation_is_gone(bucket):
    blob = bucket.blob("object")
    blob.upload_from_string("first")
    first = blob.generation
    blob.upload_from_string("second")
    assert bucket.get_blob("object", generation=first) is None


def test_a_held_object_stays(bucket):
    blob = bucket.blob("object")
    blob.upload_from_string("held")
    blob.temporary_hold = True
    blob.patch()
    with pytest.raises(Forbidden, match=r"active .*hold"):
        blob.delete()
    with pytest.raises(Forbidden, match=r"active .*hold"):
        blob.upload_from_string("other")
    assert blob.download_as_bytes() == b"held"


def test_exists_tells_without_reading(bucket):
    blob = bucket.blob("object")
    assert not blob.exists()
    blob.upload_from_string("bytes")
    assert blob.exists()
