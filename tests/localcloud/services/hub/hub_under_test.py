"""Repos for the local Hub under test, and who may read them."""

import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from huggingface_hub import HfApi

from localcloud.services.hub import HubApp, add_repo

GOOD, STRANGER, BAD = "hf_good", "hf_stranger", "hf_bad"


@dataclass
class Clock:
    """A clock that only a test moves."""

    now: datetime = field(default_factory=lambda: datetime(2026, 3, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, time: timedelta) -> None:
        self.now += time


@dataclass
class LocalHub:
    data_dir: Path
    url: str
    clock: Clock
    app: HubApp
    directories: Path

    def add(self, repo_id: str, files: dict[str, bytes | str], **settings) -> Path:
        """Adds a repo with these files, and returns its directory."""
        directory = self.directories / repo_id
        write_files(directory, files)
        add_repo(self.data_dir, repo_id, directory, **settings)
        return directory

    def api(self, token: str | bool = False) -> HfApi:
        return HfApi(endpoint=self.url, token=token)


def write_files(directory: Path, files: dict[str, bytes | str]) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def safetensors(**shapes: tuple[int, ...]) -> bytes:
    """A file with a real head and zeroes for BF16 numbers."""
    head, offset = {}, 0
    for name, shape in shapes.items():
        size = 2
        for dimension in shape:
            size *= dimension
        head[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + bytes(offset)


MODEL = {
    "README.md": "---\nlicense: apache-2.0\npipeline_tag: text-generation\ntags: [chat]\n---\n# A model\n",
    "config.json": json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8}),
    "tokenizer.json": '{"version": "1.0"}',
    "model.safetensors": safetensors(embed=(16, 8), head=(8, 16)),
    "extra/deep/notes.txt": "notes",
}
