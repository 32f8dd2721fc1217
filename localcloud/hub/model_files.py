"""What a model repo's own files say of it: the card's header, config.json, the heads of the safetensors files."""

import json
import re
from collections import Counter
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import yaml

from localcloud.hub.snapshots import Snapshot

_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors$")
_CARD_HEADER = re.compile(r"---\s*\n(.*?)\n---\s*(\n|$)", re.DOTALL)
_TOKENIZER_FIELDS = ("bos_token", "chat_template", "eos_token", "mask_token", "pad_token", "unk_token")
_LONGEST_TEXT = 1 << 20
_LONGEST_HEAD = 100 << 20


def read_card(snapshot: Snapshot) -> dict[str, Any]:
    """The YAML at the top of README.md; empty when there is none that can be read."""
    match = _CARD_HEADER.match(_text(snapshot, "README.md"))
    try:
        card = yaml.safe_load(match.group(1)) if match else None
    except yaml.YAMLError:
        return {}
    # Through JSON, for YAML also knows dates, which the Hub tells as texts.
    return json.loads(json.dumps(card, default=str)) if isinstance(card, dict) else {}


def read_config(snapshot: Snapshot) -> dict[str, Any]:
    """The part of config.json and of tokenizer_config.json that the Hub shows."""
    config = _json(snapshot, "config.json")
    shown: dict[str, Any] = {
        name: config[name] for name in ("architectures", "model_type", "quantization_config") if name in config
    }
    tokenizer = _json(snapshot, "tokenizer_config.json")
    told = {name: tokenizer[name] for name in _TOKENIZER_FIELDS if name in tokenizer}
    return {**shown, **({"tokenizer_config": told} if shown and told else {})}


def read_transformers_info(snapshot: Snapshot) -> dict[str, str] | None:
    """How transformers loads the model, by the first class that config.json names; None where no row fits."""
    config = _json(snapshot, "config.json")
    architecture = next(iter(config.get("architectures") or []), "")
    for row in _auto_models():
        wanted = row.get("model_types")
        if architecture.endswith(row["ending"]) and (wanted is None or config.get("model_type") in wanted):
            return {name: row[name] for name in ("auto_model", "pipeline_tag", "processor")}
    return None


def read_mask_token(snapshot: Snapshot) -> str | None:
    token = _json(snapshot, "tokenizer_config.json").get("mask_token")
    return token.get("content") if isinstance(token, dict) else token


@cache
def _auto_models() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("auto_models.yaml").read_text())["rows"]
    return rows


def read_safetensors(snapshot: Snapshot) -> dict[str, Any] | None:
    """Parameters by type of number, and in total; None for a repo without safetensors."""
    parameters: Counter[str] = Counter()
    for path, file in snapshot.files.items():
        if _WEIGHTS.match(path):
            for tensor in _tensors(file.location):
                parameters[tensor["dtype"]] += prod(tensor["shape"])
    return {"parameters": dict(parameters), "total": parameters.total()} if parameters else None


def _tensors(path: Path) -> list[dict[str, Any]]:
    """From the file's head: its length in 8 bytes, then JSON. Nothing when it is no safetensors file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            head = json.loads(file.read(length)) if length <= _LONGEST_HEAD else {}
        except ValueError:
            head = {}
    return [tensor for name, tensor in head.items() if name != "__metadata__"] if isinstance(head, dict) else []


def _json(snapshot: Snapshot, path: str) -> dict[str, Any]:
    try:
        value = json.loads(_text(snapshot, path) or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(snapshot: Snapshot, path: str) -> str:
    file = snapshot.files.get(path)
    if file is None or file.size > _LONGEST_TEXT:
        return ""
    return file.location.read_text(errors="replace")
