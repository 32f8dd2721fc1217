"""Objects that somebody else wrote before, during and after a mirror: loading any of them is an error."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud.storage import Blob, Client

from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.mirror.conftest import PART, SHARDS, SMALL_STEPS, SharedModel
from vertex_vllm.errors import MirrorError, PlanError
from vertex_vllm.hub.access import check_access
from vertex_vllm.hub.file_listing import list_files
from vertex_vllm.mirror import Manifest, compare, destination, mirror_weights, require_whole
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.checksums import extend_crc32c
from vertex_vllm.mirror.journal import Journal
from vertex_vllm.mirror.needed_files import EVERYTHING_NEEDED, Selection
from vertex_vllm.mirror.own_objects import MANIFEST_NAME
from vertex_vllm.mirror.sha256 import sha256


class Place:
    """A small model on the Hub, and the prefix of its mirror."""

    def __init__(self, project: str, local: LocalCloud, files: dict[str, bytes]) -> None:
        self.project, self.files = project, files
        self.model_id = local.repo(files)
        self.commit = check_access(self.model_id, "main", None).commit
        self.bucket = Client(project=project).create_bucket(f"{project}-weights", location="us-central1")
        self.uri = destination(self.bucket.name, self.model_id, self.commit)

    def blob(self, path: str) -> Blob:
        return self.bucket.blob(f"{self.uri.removeprefix(f'gs://{self.bucket.name}/')}/{path}")

    def plant(self, path: str, data: bytes, **metadata: str) -> None:
        """Writes an object with any metadata, as somebody else may."""
        blob = self.blob(path)
        blob.metadata = metadata
        blob.upload_from_string(data)

    def mirror(self, selection: Selection = EVERYTHING_NEEDED) -> Manifest:
        return mirror_weights(self.model_id, self.commit, None, self.uri, self.project, selection=selection)

    def contents(self) -> dict[str, bytes]:
        return {path: self.blob(path).download_as_bytes() for path in self.files}


@pytest.fixture
def place(cloud: Any, project: str, local: LocalCloud, safetensors: Callable[..., bytes]) -> Place:
    files = {"config.json": b'{"model_type": "llama"}', "model.safetensors": safetensors(weight=64)}
    return Place(project, local, files)


WEIGHTS = "model.safetensors"


def other(data: bytes) -> bytes:
    """Bytes of the same length."""
    return data[:-1] + bytes([data[-1] ^ 1])


def test_an_object_that_was_planted_before_the_first_mirror_does_not_count(place: Place) -> None:
    for path, data in place.files.items():
        oid = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        claims = {"sha256": hashlib.sha256(data).hexdigest(), "git-oid": oid}
        place.plant(path, other(data), **claims)
    manifest = place.mirror()
    assert place.contents() == place.files
    require_whole(manifest, place.project)


def test_an_object_that_says_the_truth_is_hashed_and_stays(place: Place) -> None:
    place.mirror()
    generation = place.bucket.get_blob(place.blob(WEIGHTS).name).generation
    place.blob(MANIFEST_NAME).delete()
    assert {
        file.path for file in compare(place.model_id, place.commit, None, place.uri, place.project).missing
    } == set()
    assert {file.path: file.generation for file in place.mirror().files}[WEIGHTS] == generation


def test_a_manifest_of_another_model_vouches_for_nothing(place: Place) -> None:
    manifest = place.mirror()
    place.plant(WEIGHTS, other(place.files[WEIGHTS]), sha256=hashlib.sha256(place.files[WEIGHTS]).hexdigest())
    forged = replace(manifest, model_id="some/other")
    place.blob(MANIFEST_NAME).upload_from_string(forged.to_json())
    place.mirror()
    assert place.contents() == place.files


def swap(place: Place) -> str:
    place.plant(WEIGHTS, other(place.files[WEIGHTS]))
    return f"{WEIGHTS} has other content"


def swap_with_manifest(place: Place) -> str:
    """The object and the manifest in the bucket together: the run's own manifest is what counts."""
    data = other(place.files[WEIGHTS])
    place.plant(WEIGHTS, data, sha256=hashlib.sha256(data).hexdigest())
    stored = place.bucket.get_blob(place.blob(WEIGHTS).name)
    written = json.loads(place.blob(MANIFEST_NAME).download_as_bytes())
    for file in written["files"]:
        if file["path"] == WEIGHTS:
            file.update(
                sha256=hashlib.sha256(data).hexdigest(), crc32c=stored.crc32c, generation=int(stored.generation)
            )
    place.blob(MANIFEST_NAME).upload_from_string(json.dumps(written))
    return f"{WEIGHTS} has other content"


def add(place: Place) -> str:
    place.plant("modeling_evil.py", b"import os")
    return "modeling_evil.py is not in the manifest"


def add_pickle(place: Place) -> str:
    place.plant("deep/pytorch_model.bin", b"\x80\x04")
    return "deep/pytorch_model.bin is not in the manifest"


def remove(place: Place) -> str:
    place.blob("config.json").delete()
    return "config.json is missing"


@pytest.mark.parametrize("change", [swap, swap_with_manifest, add, add_pickle, remove])
def test_a_change_between_the_mirror_and_the_load_stops_it_by_name(
    place: Place, change: Callable[[Place], str]
) -> None:
    """`upload_model`, `deploy_model` and `promote_endpoint` make this check at their beginning."""
    manifest = place.mirror()
    require_whole(manifest, place.project)
    fault = change(place)
    with pytest.raises(MirrorError) as raised:
        require_whole(manifest, place.project)
    assert fault in str(raised.value)
    assert raised.value.where == place.uri


def test_the_same_bytes_written_again_are_read_and_hold(place: Place) -> None:
    manifest = place.mirror()
    place.plant(WEIGHTS, place.files[WEIGHTS])
    require_whole(manifest, place.project)


def test_a_repository_cannot_bring_a_manifest(place: Place, local: LocalCloud) -> None:
    repo = local.repo({**place.files, MANIFEST_NAME: b"{}"})
    commit = check_access(repo, "main", None).commit
    uri = destination(place.bucket.name, repo, commit)
    with pytest.raises(PlanError, match="a name that a mirror needs for an object of its own"):
        mirror_weights(repo, commit, None, uri, place.project)
    left_out = Selection(exclude=(MANIFEST_NAME,))
    assert len(mirror_weights(repo, commit, None, uri, place.project, selection=left_out).files) == len(place.files)


@pytest.mark.parametrize("step", ["upload_model", "deploy_model", "promote_endpoint"])
def test_every_step_between_the_mirror_and_production_asks_first(step: str) -> None:
    source = (Path(__file__).resolve().parents[3] / "components" / f"{step}.py").read_text()
    body = source.partition("with step(")[2].splitlines()[1]
    assert body.strip().startswith("require_whole(")


def test_a_planted_journal_makes_no_other_bytes_count(shared_model: SharedModel, cloud: Any) -> None:
    """An upload of other bytes, whose journal has their checksums and the hash of the true ones."""
    place, project = shared_model.place(), shared_model.client.project
    path = next(iter(SHARDS))
    (file,) = (file for file in list_files(shared_model.id, shared_model.commit, None) if file.path == path)
    true = bytearray(shared_model.files[path][:PART])
    evil = memoryview(other(bytes(true)))
    bucket = MirrorBucket(place, project)
    upload = bucket.begin(file)
    checksum = extend_crc32c(evil)
    upload.put(1, evil, checksum)
    hashing = sha256()
    hashing.update(memoryview(true))
    journal = Journal(upload.id, file.size, file.sha256, PART, {1: checksum}, PART, hashing.state())
    assert bucket.write_journal(path, journal, 0)

    with pytest.raises(MirrorError, match="the parts that an earlier mirror sent are not those of the file"):
        mirror_weights(shared_model.id, shared_model.commit, None, place, project, transfer=SMALL_STEPS)
    assert path not in shared_model.objects(place)
    mirror_weights(shared_model.id, shared_model.commit, None, place, project, transfer=SMALL_STEPS)
    shared_model.assert_published(place)
