"""A mirror that is verified can be loaded: headers are read from the copied bytes, whatever the size of the pieces."""

import json
import struct
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vertex_vllm.mirror.conftest import MANIFEST, PART, SMALL_STEPS, one_tensor
from vertex_vllm.errors import PlanError
from vertex_vllm.hub.access import check_access
from vertex_vllm.mirror import destination, mirror_weights
from vertex_vllm.mirror.content_check import PassingContent, check_content

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 5\n"
GOOD = one_tensor("good", 5000)


@dataclass(frozen=True)
class Named:
    path: str
    size: int


def header(entries: dict[str, Any], body: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + body


def tensor(begin: int, end: int) -> dict[str, Any]:
    return {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}


BROKEN: dict[str, tuple[bytes, str]] = {
    "a pointer": (POINTER, "it is a pointer of Git LFS"),
    "a web page": (b"<!doctype html><html>" + b"x" * 3000, "it is a web page"),
    "a ZIP archive": (b"PK\x03\x04" + bytes(2000), "it is a ZIP archive"),
    "half a header": (GOOD[:60], "announces a header of 128 bytes in a file of 60"),
    "half a body": (GOOD[:-1], "outside the file"),
    "more than its tensors": (GOOD + b"x", "its tensors take 4864: the file is cut"),
    "no JSON": (struct.pack("<Q", 2000) + b"x" * 5000, "is not JSON"),
    "overlapping tensors": (header({"a": tensor(0, 6), "b": tensor(4, 10)}, bytes(10)), "overlaps another tensor"),
    "a hole": (header({"a": tensor(0, 4), "b": tensor(6, 10)}, bytes(10)), "leaves a hole"),
    "a range outside": (header({"a": tensor(0, 11)}, bytes(10)), "outside the file"),
    "a length of nothing": (bytes(5000), "announces a header of 0 bytes"),
}


def passed(data: bytes, pieces: list[int], start: int = 0) -> PassingContent:
    content = PassingContent(Named("model.safetensors", len(data)), start)
    at = start
    for length in pieces:
        content.update(memoryview(data)[at : at + length])
        at += length
    content.update(memoryview(data)[at:])
    return content


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_safetensors_file(name: str) -> None:
    data, words = BROKEN[name]
    with pytest.raises(PlanError) as raised:
        passed(data, [100]).check(lambda start, length: b"")
    assert words in raised.value.message
    with pytest.raises(PlanError) as again:
        check_content(Named("model.safetensors", len(data)), data)
    assert str(again.value) == str(raised.value)


def test_an_empty_file_of_weights() -> None:
    with pytest.raises(PlanError, match="it is empty"):
        check_content(Named("model.safetensors", 0), b"")


@given(pieces=st.lists(st.integers(1, 3000), max_size=8), name=st.sampled_from([*BROKEN, ""]))
def test_the_pieces_make_no_difference(pieces: list[int], name: str) -> None:
    data, words = BROKEN.get(name, (GOOD, ""))
    try:
        passed(data, pieces).check(lambda start, length: b"")
        told = ""
    except PlanError as error:
        told = error.message
    assert words in told
    assert bool(words) == bool(told)


def test_what_an_earlier_run_took_in_is_read_again() -> None:
    asked = []

    def read(start: int, length: int) -> bytes:
        asked.append((start, length))
        return GOOD[start : start + length]

    passed(GOOD, [], start=2000).check(read)
    assert asked == [(0, 5000)]
    with pytest.raises(PlanError, match="pointer"):
        passed(GOOD, [], start=2000).check(lambda start, length: POINTER)


@pytest.fixture
def broken_model(local: Any) -> str:
    weights = one_tensor("w", 3 * PART)
    longer = json.loads(weights[8:136])
    longer["w"]["data_offsets"][1] += 1
    text = json.dumps(longer).encode().ljust(128)
    broken: str = local.repo({"config.json": b"{}", "model.safetensors": weights[:8] + text + weights[136:]})
    return broken


def test_large_weights_that_cannot_be_loaded_are_not_published(
    broken_model: str, shared_model: Any, project: str
) -> None:
    commit = check_access(broken_model, "main", None).commit
    place = destination(shared_model.bucket, broken_model, commit)
    with pytest.raises(PlanError, match=r"@[0-9a-f]{40}: model.safetensors: 'w': has data_offsets outside the file"):
        mirror_weights(broken_model, commit, None, place, project, transfer=SMALL_STEPS)
    assert set(shared_model.objects(place)) <= {"config.json"}
    assert list(shared_model.client.list_blobs(shared_model.bucket, prefix=".vertex-vllm/")) == []


def test_small_weights_that_are_a_pointer_are_not_published(local: Any, shared_model: Any, project: str) -> None:
    model_id = local.repo({"config.json": b"{}", "model.safetensors": POINTER})
    commit = check_access(model_id, "main", None).commit
    place = destination(shared_model.bucket, model_id, commit)
    with pytest.raises(PlanError, match=r"it is a pointer of Git LFS.*nothing of it was published"):
        mirror_weights(model_id, commit, None, place, project, transfer=SMALL_STEPS)
    assert MANIFEST not in shared_model.objects(place)


def test_what_an_earlier_version_copied_is_looked_at(local: Any, shared_model: Any, project: str) -> None:
    """Objects without a manifest, even with the right metadata, do not prove that they can be loaded."""
    model_id = local.repo({"config.json": b"{}", "model.safetensors": POINTER})
    commit = check_access(model_id, "main", None).commit
    place = destination(shared_model.bucket, model_id, commit)
    transfer = replace(SMALL_STEPS, processes=1)
    with pytest.raises(PlanError):
        mirror_weights(model_id, commit, None, place, project, transfer=transfer)
    blob = shared_model.client.bucket(shared_model.bucket).blob(
        f"{place.removeprefix(f'gs://{shared_model.bucket}/')}/model.safetensors"
    )
    import hashlib

    from vertex_vllm.hub.file_listing import list_files

    listed = next(file for file in list_files(model_id, commit, None) if file.path == "model.safetensors")
    digest = hashlib.sha256(POINTER).hexdigest()
    blob.metadata = {"sha256": digest} if listed.sha256 else {"sha256": digest, "git-oid": listed.git_oid}
    blob.upload_from_string(POINTER)
    with pytest.raises(PlanError, match="it is a pointer of Git LFS"):
        mirror_weights(model_id, commit, None, place, project, transfer=transfer)
