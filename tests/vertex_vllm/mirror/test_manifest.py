"""The manifest as text, and compared with the objects in the bucket."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.errors import BucketError, InputError, RevisionNotFoundError
from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror import Manifest, MirroredFile, destination
from vertex_vllm.mirror.destination import split_destination
from vertex_vllm.mirror.manifest import is_whole
from vertex_vllm.mirror.mirror import present_file
from vertex_vllm.mirror.own_objects import BESIDE_THE_WEIGHTS
from vertex_vllm.mirror.stored_objects import StoredObject
from vertex_vllm.mirror.wholeness import faults, rewritten

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA256 = "a" * 64
GIT_OID = "b" * 40
FILE = MirroredFile("model.safetensors", 5, SHA256, "AAAAAA==", 7)
MANIFEST = Manifest("org/model", COMMIT, f"gs://bucket-1/models/org/model/{COMMIT}", (FILE,))
STORED = StoredObject(5, "AAAAAA==", 7, SHA256, "")


def test_round_trip() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


@given(st.text(max_size=40) | st.sampled_from(["{}", "[]", '{"format": 2}', '{"format": 1, "files": 3}']))
def test_any_other_text_is_no_manifest(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own error is a ValueError, too
        Manifest.from_json(text)


@pytest.mark.parametrize(
    ("objects", "whole"),
    [
        ({FILE.path: STORED, "other": STORED}, True),
        ({}, False),
        ({FILE.path: replace(STORED, size=4)}, False),
        ({FILE.path: replace(STORED, crc32c="AAAAAQ==")}, False),
        ({FILE.path: replace(STORED, generation=8)}, False),
    ],
)
def test_a_mirror_is_whole_when_every_object_is_as_written(objects: dict[str, StoredObject], whole: bool) -> None:
    assert is_whole(MANIFEST, objects) is whole


@pytest.mark.parametrize(
    ("objects", "found"),
    [
        ({FILE.path: STORED}, []),
        ({FILE.path: STORED, "": replace(STORED, size=0), "folder/": replace(STORED, size=0)}, []),
        ({FILE.path: STORED, **dict.fromkeys(BESIDE_THE_WEIGHTS, STORED)}, []),
        ({}, ["model.safetensors is missing"]),
        ({FILE.path: replace(STORED, size=4)}, ["model.safetensors has other content"]),
        ({FILE.path: replace(STORED, crc32c="AAAAAQ==")}, ["model.safetensors has other content"]),
        ({FILE.path: replace(STORED, generation=8)}, ["model.safetensors was written again"]),
        ({FILE.path: STORED, "modeling_evil.py": STORED}, ["modeling_evil.py is not in the manifest"]),
        ({FILE.path: STORED, "evil/": STORED}, ["evil/ is not in the manifest"]),
        ({FILE.path: STORED, "empty": replace(STORED, size=0)}, ["empty is not in the manifest"]),
    ],
)
def test_what_is_not_as_the_manifest_has_it_is_named(objects: dict[str, StoredObject], found: list[str]) -> None:
    assert [fault for _, fault in faults(MANIFEST, objects)] == found
    assert rewritten(MANIFEST, objects) == {FILE.path for fault in found if "again" in fault}


LFS = HubFile(FILE.path, 5, SHA256, GIT_OID)
IN_GIT = HubFile(FILE.path, 5, "", GIT_OID)


@pytest.mark.parametrize(
    ("file", "stored", "earlier", "stays"),
    [
        (LFS, STORED, None, False),
        (LFS, STORED, FILE, True),
        (LFS, replace(STORED, generation=9), FILE, True),
        (LFS, replace(STORED, crc32c="AAAAAQ=="), FILE, False),
        (LFS, replace(STORED, size=4), None, False),
        (LFS, replace(STORED, sha256="c" * 64), None, False),
        (LFS, replace(STORED, sha256=""), None, False),
        (LFS, None, FILE, False),
        (IN_GIT, replace(STORED, git_oid=GIT_OID), None, False),
        (IN_GIT, replace(STORED, git_oid=GIT_OID), FILE, True),
        (IN_GIT, STORED, None, False),
    ],
)
def test_an_object_stays_only_when_it_was_verified_to_be_this_file(
    file: HubFile, stored: StoredObject | None, earlier: MirroredFile | None, stays: bool
) -> None:
    found = present_file(file, stored, earlier)
    assert (found is not None) is stays
    assert found is None or stored is None or found == replace(FILE, generation=stored.generation)


@pytest.mark.parametrize("bucket", ["my-bucket", "gs://my-bucket", "gs://my-bucket/"])
def test_a_commit_has_one_place(bucket: str) -> None:
    uri = destination(bucket, "org/model", COMMIT)
    assert uri == f"gs://my-bucket/models/org/model/{COMMIT}"
    assert split_destination(uri) == ("my-bucket", f"models/org/model/{COMMIT}")


@pytest.mark.parametrize(
    ("bucket", "model_id", "commit", "error"),
    [
        ("My Bucket", "org/model", COMMIT, BucketError),
        ("my-bucket", "model", COMMIT, InputError),
        ("my-bucket", "org/model", "main", RevisionNotFoundError),
    ],
)
def test_names_that_cannot_be_have_none(bucket: str, model_id: str, commit: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        destination(bucket, model_id, commit)


@pytest.mark.parametrize("uri", ["my-bucket/x", "gs://my-bucket", "gs://my-bucket/", "s3://my-bucket/x"])
def test_what_is_no_destination(uri: str) -> None:
    with pytest.raises(BucketError):
        split_destination(uri)
