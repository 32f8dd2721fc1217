"""A mirror from the local Hub into the local bucket, by the real clients."""

import logging
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from google.cloud.storage import Client

from tests.accounts import owner_session
from vertex_vllm.errors import BucketError, MirrorError, TokenMissingError
from vertex_vllm.hub.access import check_access
from vertex_vllm.hub.download import RepoReader
from vertex_vllm.hub.file_listing import list_files
from vertex_vllm.mirror import Manifest, Progress, Transfer, destination, mirror_weights
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.large_files import LargeFiles
from vertex_vllm.mirror.mirror import publish
from vertex_vllm.mirror.own_objects import BILL_OF_MATERIALS_NAME
from vertex_vllm.mirror.progress import Meter, ignore_progress
from vertex_vllm.mirror.small_files import copy_small_file

LEFT_OUT = {"README.md", "original/consolidated.00.pth", "pytorch_model.bin"}
LARGE = "model-00001-of-00002.safetensors"
SMALL = "model-00002-of-00002.safetensors"
MANIFEST = "vertex-vllm-manifest.json"


@pytest.fixture
def client(cloud: Any, project: str) -> Client:
    return Client(project=project)


@pytest.fixture
def bucket(client: Client) -> str:
    return client.create_bucket(f"mirror-{uuid.uuid4().hex[:12]}", location="us-central1").name


@pytest.fixture
def model(local: Any, llama: dict[str, bytes], bucket: str, project: str) -> tuple[str, str, str]:
    """Id and commit of a public model on the Hub, and the destination of its mirror."""
    model_id = local.repo(llama)
    commit = check_access(model_id, "main", None).commit
    return model_id, commit, destination(bucket, model_id, commit)


def contents(client: Client, uri: str) -> dict[str, bytes]:
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    return {
        blob.name.removeprefix(f"{prefix}/"): blob.download_as_bytes()
        for blob in client.list_blobs(bucket, prefix=f"{prefix}/")
    }


def generations(client: Client, uri: str) -> dict[str, int]:
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    blobs = client.list_blobs(bucket, prefix=f"{prefix}/")
    return {blob.name.removeprefix(f"{prefix}/"): blob.generation for blob in blobs}


def unfinished_uploads(bucket: str) -> int:
    answer = owner_session().get(f"{os.environ['API_ENDPOINT_OVERRIDE']}/{bucket}?uploads", timeout=10)
    assert answer.ok
    return answer.text.count("<UploadId>")


def blob(client: Client, uri: str, path: str) -> Any:
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    return client.bucket(bucket).blob(f"{prefix}/{path}")


def test_the_right_files_arrive_byte_for_byte_and_the_manifest_says_so(
    client: Client, model: tuple[str, str, str], llama: dict[str, bytes], project: str
) -> None:
    model_id, commit, uri = model
    seen: list[Progress] = []
    manifest = mirror_weights(model_id, commit, None, uri, project, seen.append)

    arrived = contents(client, uri)
    assert Manifest.from_json(arrived.pop(MANIFEST).decode()) == manifest
    del arrived[BILL_OF_MATERIALS_NAME]
    assert arrived == {path: data for path, data in llama.items() if path not in LEFT_OUT}
    assert (manifest.model_id, manifest.commit, manifest.uri) == model
    lying = generations(client, uri)
    assert {file.path: file.generation for file in manifest.files} == {path: lying[path] for path in arrived}
    assert manifest.total_bytes == sum(map(len, arrived.values()))
    assert (seen[-1].finished, seen[-1].bytes_copied, seen[-1].bytes_present) == (True, manifest.total_bytes, 0)
    assert unfinished_uploads(uri.split("/")[2]) == 0


def test_a_second_run_moves_nothing_and_does_not_ask_the_hub(
    client: Client, model: tuple[str, str, str], project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = mirror_weights(*model[:2], None, model[2], project)
    before = generations(client, model[2])
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    seen: list[Progress] = []
    assert mirror_weights(*model[:2], None, model[2], project, seen.append) == first
    assert generations(client, model[2]) == before
    assert (seen[-1].finished, seen[-1].bytes_copied, seen[-1].bytes_present) == (True, 0, first.total_bytes)


def test_what_was_deleted_or_damaged_is_copied_again_and_nothing_else(
    client: Client, model: tuple[str, str, str], llama: dict[str, bytes], project: str
) -> None:
    mirror_weights(*model[:2], None, model[2], project)
    before = generations(client, model[2])
    blob(client, model[2], "config.json").delete()
    damaged = blob(client, model[2], LARGE)
    damaged.upload_from_string(llama[LARGE][:-1] + b"x")

    again = mirror_weights(*model[:2], None, model[2], project)
    after = generations(client, model[2])
    assert {path for path in before if after[path] != before[path]} == {"config.json", LARGE, MANIFEST}
    arrived = contents(client, model[2])
    assert arrived[LARGE] == llama[LARGE]
    assert Manifest.from_json(arrived[MANIFEST].decode()) == again


def test_damage_that_keeps_the_metadata_is_seen(
    client: Client, model: tuple[str, str, str], llama: dict[str, bytes], project: str
) -> None:
    mirror_weights(*model[:2], None, model[2], project)
    damaged = blob(client, model[2], SMALL)
    damaged.reload()
    metadata = dict(damaged.metadata)
    damaged = blob(client, model[2], SMALL)
    damaged.metadata = metadata
    damaged.upload_from_string(llama[SMALL][:-1] + b"x")
    mirror_weights(*model[:2], None, model[2], project)
    assert contents(client, model[2])[SMALL] == llama[SMALL]


def test_a_run_that_died_before_the_manifest_is_finished_without_copying(
    client: Client, model: tuple[str, str, str], project: str
) -> None:
    first = mirror_weights(*model[:2], None, model[2], project)
    before = generations(client, model[2])
    blob(client, model[2], MANIFEST).delete()
    assert mirror_weights(*model[:2], None, model[2], project) == first
    after = generations(client, model[2])
    assert {path for path in before if after[path] != before[path]} == {MANIFEST}


def test_a_manifest_that_is_none_is_written_again(client: Client, model: tuple[str, str, str], project: str) -> None:
    first = mirror_weights(*model[:2], None, model[2], project)
    blob(client, model[2], MANIFEST).upload_from_string("{")
    assert mirror_weights(*model[:2], None, model[2], project) == first
    assert Manifest.from_json(contents(client, model[2])[MANIFEST].decode()) == first


@pytest.mark.parametrize("path", [LARGE, SMALL, "config.json"])
def test_a_file_that_is_not_what_the_hub_lists_is_not_published(
    client: Client, model: tuple[str, str, str], project: str, path: str
) -> None:
    model_id, commit, uri = model
    listed = next(file for file in list_files(model_id, commit, None) if file.path == path)
    lie = replace(listed, sha256="c" * 64) if listed.sha256 else replace(listed, git_oid="c" * 40)
    meter = Meter(model_id, {path: lie.size}, ignore_progress).file(path)
    with (
        closing(MirrorBucket(uri, project)) as target,
        RepoReader(model_id, commit, None) as reader,
        ThreadPoolExecutor(16) as threads,
    ):
        copy = (
            partial(LargeFiles(reader, target, Transfer(), threads).copy, lie, meter)
            if lie.size > Transfer().part_bytes
            else partial(copy_small_file, lie, reader, target, meter)
        )
        with pytest.raises(MirrorError, match="c" * 40) as raised:
            copy()
    assert raised.value.where == f"{model_id}@{commit}: {path}"
    assert contents(client, uri) == {}
    assert unfinished_uploads(uri.split("/")[2]) == 0


def test_two_mirrors_at_once_end_in_one_good_copy(
    client: Client, model: tuple[str, str, str], llama: dict[str, bytes], project: str
) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(mirror_weights, *model[:2], None, model[2], project) for _ in range(2)]
        for run in runs:
            run.result()
    arrived = contents(client, model[2])
    published = Manifest.from_json(arrived.pop(MANIFEST).decode())
    del arrived[BILL_OF_MATERIALS_NAME]
    assert arrived == {path: data for path, data in llama.items() if path not in LEFT_OUT}
    lying = generations(client, model[2])
    assert {file.path: file.generation for file in published.files} == {path: lying[path] for path in arrived}


@pytest.fixture
def published(model: tuple[str, str, str], project: str) -> Manifest:
    return mirror_weights(*model[:2], None, model[2], project)


@pytest.fixture
def target(model: tuple[str, str, str], project: str) -> Iterator[MirrorBucket]:
    with closing(MirrorBucket(model[2], project)) as opened:
        yield opened


def test_of_two_manifests_the_first_that_holds_stays(published: Manifest, target: MirrorBucket) -> None:
    before = target.read_manifest()
    assert publish(replace(published, files=published.files[:1]), target, 0) == published
    assert target.read_manifest() == before


def test_a_manifest_that_another_mirror_has_overtaken_is_replaced(
    client: Client, published: Manifest, target: MirrorBucket, llama: dict[str, bytes]
) -> None:
    again = blob(client, published.uri, SMALL)
    again.upload_from_string(llama[SMALL])
    written = publish(published, target, 0)
    assert target.read_manifest()[0] == written
    assert {file.path: file.generation for file in written.files}[SMALL] == again.generation


def test_nothing_is_published_over_objects_that_changed(
    client: Client, published: Manifest, target: MirrorBucket
) -> None:
    blob(client, published.uri, SMALL).upload_from_string(b"something else")
    with pytest.raises(MirrorError, match="changed or deleted while mirroring"):
        publish(published, target, 0)


def test_the_token_of_a_gated_model_is_nowhere_afterwards(
    local: Any, client: Client, bucket: str, project: str, llama: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    model_id = local.repo(llama, gated=True)
    token = local.token(model_id)
    commit = check_access(model_id, "main", token).commit
    uri = destination(bucket, model_id, commit)
    with caplog.at_level(logging.DEBUG):
        manifest = mirror_weights(model_id, commit, token, uri, project)
    assert caplog.records
    assert token not in caplog.text + manifest.to_json()
    assert all(token not in repr(blob.metadata) for blob in client.list_blobs(bucket))


def test_a_gated_model_without_a_token_is_not_begun(
    local: Any, client: Client, bucket: str, project: str, llama: dict[str, bytes]
) -> None:
    model_id = local.repo(llama, gated=True)
    commit = check_access(model_id, "main", local.token(model_id)).commit
    uri = destination(bucket, model_id, commit)
    with pytest.raises(TokenMissingError, match=model_id):
        mirror_weights(model_id, commit, None, uri, project)
    assert contents(client, uri) == {}


def test_a_bucket_that_is_not_there(model: tuple[str, str, str], project: str) -> None:
    uri = destination("no-such-bucket-anywhere", model[0], model[1])
    with pytest.raises(BucketError, match="gcloud storage buckets create gs://no-such-bucket-anywhere"):
        mirror_weights(*model[:2], None, uri, project)
