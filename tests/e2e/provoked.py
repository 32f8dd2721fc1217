"""Failures that tests provoke in real vLLM, by faults in the config, in the weights or in the cloud."""

import json
import shutil
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Damage = Callable[[Path], None]
"""Changes the files of a model in a folder of their own."""


@dataclass(frozen=True)
class Provoked:
    """A failure, with the rule of diagnosis that must name it."""

    rule: str
    arguments: tuple[str, ...] = ()
    """Arguments for vLLM in the config."""
    serving: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of `serving` in the config."""
    damage: Damage | None = None
    """Damage to the weights in Cloud Storage; the mended deployment has undamaged ones."""
    length: int = 0
    """Context length to write into config.json, in tokens; 0: unchanged."""
    patched: bool = True
    """Whether a change of the config removes the cause."""


def edit_json(name: str, **changes: Any) -> Damage:
    """The file with these keys set; None removes a key."""

    def damage(folder: Path) -> None:
        path = folder / name
        values = {**json.loads(path.read_text()), **changes}
        path.unlink()
        path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))

    return damage


def without(*names: str) -> Damage:
    def damage(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return damage


def truncated(name: str) -> Damage:
    """The first half of the file."""

    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / name).write_bytes(data[: len(data) // 2])

    return damage


def of_a_smaller_model(name: str) -> Damage:
    """A shard whose tensors have half the rows, as one of another model of the family."""

    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
        tensors = {}
        for tensor, entry in header.items():
            if tensor == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            kept = (end - begin) // 2
            shape = [entry["shape"][0] // 2, *entry["shape"][1:]]
            tensors[tensor] = (entry["dtype"], shape, body[begin : begin + kept])
        (folder / name).unlink()
        (folder / name).write_bytes(safetensors(tensors))

    return damage


def safetensors(tensors: Mapping[str, tuple[str, list[int], bytes]]) -> bytes:
    """A file of these tensors: name → number format, shape, bytes."""
    header, body = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def write_adapter(folder: Path, width: int) -> Path:
    """A LoRA adapter of rank 8 on the first layer's query projection of a model that is `width` wide."""
    folder.mkdir(parents=True)
    described = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps({**described, "task_type": "CAUSAL_LM"}))
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    zeros = bytes(4 * 8 * width)
    tensors = {
        f"{layer}.lora_A.weight": ("F32", [8, width], zeros),
        f"{layer}.lora_B.weight": ("F32", [width, 8], zeros),
    }
    (folder / "adapter_model.safetensors").write_bytes(safetensors(tensors))
    return folder


def copied(source: Path, folder: Path) -> Path:
    """A folder of links to a model's files, to be damaged."""
    folder.mkdir(parents=True)
    for path in source.iterdir():
        target = folder / path.name
        if path.suffix == ".safetensors":
            target.symlink_to(path)
        else:
            shutil.copyfile(path, target)
    return folder
