"""Models, tokens and buckets that tests put into the local cloud beforehand."""

import hashlib
import json
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.vertex_vllm.model.published_configs import SMOLLM2_135M
from tests.vertex_vllm.served_models import in_vertex, make_plan
from vertex_vllm import retries

__all__ = ["in_vertex", "make_plan"]  # Fixtures, found here by the tests below this folder.


@dataclass(frozen=True)
class LocalCloud:
    """The local cloud's admin interface."""

    admin_url: str
    admin_key: str
    folder: Path

    def put(self, what: str, **fields: Any) -> None:
        headers = {"Authorization": f"Bearer {self.admin_key}"}
        response = requests.put(f"{self.admin_url}/_local/{what}", json=fields, headers=headers, timeout=10)
        assert response.ok, response.text

    def repo(self, files: dict[str, bytes], *, gated: bool = False) -> str:
        """A model on the Hub with these files; returns its id."""
        model_id = f"org-{uuid.uuid4().hex[:8]}/model"
        root = self.folder / model_id
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        self.put("hub/repos", id=model_id, path=str(root), gated=gated)
        return model_id

    def token(self, *granted: str) -> str:
        """A token of a new account with access to these models."""
        token = f"hf_canary{uuid.uuid4().hex}"
        self.put(
            "hub/tokens", sha256=hashlib.sha256(token.encode()).hexdigest(), user="some-user", granted=list(granted)
        )
        return token

    def deny(self, permission: str, resource: str) -> None:
        self.put("denials", permission=permission, resource=resource, denied=True)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the first wait of retries: tests count tries, not seconds."""
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.02)


@pytest.fixture
def local(cloud: Any, tmp_path: Path) -> LocalCloud:
    return LocalCloud(cloud.admin_url, cloud.admin_key, tmp_path)


@pytest.fixture(scope="session")
def safetensors() -> Callable[..., bytes]:
    """Makes a valid safetensors file of BF16 tensors, name → count of numbers; the numbers differ from name to name."""

    def make(**counts: int) -> bytes:
        header, body = {}, b""
        for name, count in counts.items():
            header[name] = {"dtype": "BF16", "shape": [count], "data_offsets": [len(body), len(body) + 2 * count]}
            body += hashlib.shake_128(name.encode()).digest(2 * count)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + body

    return make


@pytest.fixture(scope="session")
def llama(safetensors: Callable[..., bytes]) -> dict[str, bytes]:
    """Files of a small sharded Llama, and files that must not be mirrored."""
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    config = {key: value for key, value in SMOLLM2_135M.items() if key != "tie_word_embeddings"}
    index = {"metadata": {}, "weight_map": {"embed": first, "layers": second, "head": second}}
    return {
        "config.json": json.dumps(config).encode(),
        "generation_config.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        # More than two parts, and the last one odd.
        first: safetensors(embed=20_000_001),
        second: safetensors(layers=1_000, head=10),
        "tokenizer.json": b'{"version": "1.0"}',
        "tokenizer_config.json": b'{"chat_template": "{{ messages }}"}',
        "vocab.txt": b"",
        "README.md": b"# A model",
        "original/consolidated.00.pth": b"the same again",
        "pytorch_model.bin": b"the same again",
    }
