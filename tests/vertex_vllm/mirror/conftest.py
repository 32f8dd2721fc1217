"""A model whose large files have several parts each, and checks of its mirror in the bucket."""

import hashlib
import json
import struct
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from google.cloud.storage import Client

from vertex_vllm.hub.access import check_access
from vertex_vllm.mirror import Manifest, Transfer, destination
from vertex_vllm.mirror.own_objects import BILL_OF_MATERIALS_NAME

MANIFEST = "vertex-vllm-manifest.json"
# Bytes: the smallest part that Cloud Storage accepts.
PART = 5 << 20
_HEADER = 128
SHARDS = {f"model-{number:05}-of-00003.safetensors": 5 * PART + 1000 * number for number in (1, 2, 3)}
# Small parts, few at once, so that little is under way; the journal is written after every part.
SMALL_STEPS = Transfer(processes=2, connections=2, part_bytes=PART, journal_seconds=0.0, patience_seconds=60.0)


def one_tensor(seed: str, size: int) -> bytes:
    """A safetensors file of `size` bytes with one tensor of random numbers, of the seed's name."""
    room = size - 8 - _HEADER
    header = json.dumps({seed: {"dtype": "U8", "shape": [room], "data_offsets": [0, room]}}).encode().ljust(_HEADER)
    return struct.pack("<Q", _HEADER) + header + hashlib.shake_128(seed.encode()).digest(room)


@pytest.fixture(scope="session")
def shards() -> dict[str, bytes]:
    index = {"metadata": {}, "weight_map": {path: path for path in SHARDS}}
    files = {path: one_tensor(path, size) for path, size in SHARDS.items()}
    return {
        "config.json": b'{"model_type": "llama"}',
        "model.safetensors.index.json": json.dumps(index).encode(),
        "tokenizer.json": b"{}",
        **files,
    }


@dataclass(frozen=True)
class SharedModel:
    """A model on the Hub, and a bucket for its mirrors."""

    id: str
    commit: str
    files: dict[str, bytes]
    bucket: str
    client: Client
    cloud: Any

    def place(self) -> str:
        """A prefix that nobody has used."""
        return f"{destination(self.bucket, self.id, self.commit)}-{uuid.uuid4().hex[:8]}"

    def objects(self, place: str) -> dict[str, bytes]:
        prefix = place.removeprefix(f"gs://{self.bucket}/")
        blobs = self.client.list_blobs(self.bucket, prefix=f"{prefix}/")
        return {blob.name.removeprefix(f"{prefix}/"): blob.download_as_bytes() for blob in blobs}

    def assert_published(self, place: str) -> None:
        """Asserts that every byte and the manifest are right, and that no journal or upload is left."""
        arrived = self.objects(place)
        manifest = Manifest.from_json(arrived.pop(MANIFEST).decode())
        del arrived[BILL_OF_MATERIALS_NAME]
        assert arrived == self.files
        assert {file.path: file.sha256 for file in manifest.files} == {
            path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()
        }
        assert list(self.client.list_blobs(self.bucket, prefix=".vertex-vllm/")) == []

    def sent_parts(self, place: str, path: str) -> list[dict[str, Any]]:
        """Requests with a part of that file, of the upload that became it or any other."""
        sent: list[dict[str, Any]] = self.cloud.part_requests(
            self.bucket, f"{place.removeprefix(f'gs://{self.bucket}/')}/{path}"
        )
        return sent

    def stored_twice(self, place: str) -> list[tuple[str, str, int]]:
        """Parts that Cloud Storage held already when they were sent once more."""
        return [
            (path, *part)
            for path in SHARDS
            for part, times in Counter(
                (sent["upload_id"], sent["number"]) for sent in self.sent_parts(place, path) if sent["stored"]
            ).items()
            if times > 1
        ]


@pytest.fixture
def shared_model(cloud: Any, project: str, local: Any, shards: dict[str, bytes]) -> SharedModel:
    client = Client(project=project)
    model_id = local.repo(shards)
    bucket = client.create_bucket(f"mirror-{uuid.uuid4().hex[:12]}", location="us-central1").name
    return SharedModel(model_id, check_access(model_id, "main", None).commit, shards, bucket, client, cloud)
