"""Facts in a model repo's own files: the card's header, config.json, the heads of the safetensors files."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import yaml

from localcloud.services.hub.snapshots import Snapshot

_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors$")
_CARD_HEADER = re.compile(r"---\s*\n(.*?)\n---\s*(\n|$)", re.DOTALL)
# huggingface.js, packages/tasks, tokenizer-data.ts, 2026-08-21.
_TOKENIZER_FIELDS = (
    *("bos_token", "chat_template", "cls_token", "eos_token", "mask_token", "pad_token", "sep_token", "unk_token"),
    "use_default_system_prompt",
)
# Files of other libraries, and the fields of them that the Hub shows under the library's name.
_OTHER_LIBRARIES = {
    "diffusers": ("model_index.json", ("_class_name",)),
    "peft": ("adapter_config.json", ("base_model_name_or_path", "task_type")),
    "speechbrain": ("config.json", ("speechbrain_interface", "vocoder_interface", "vocoder_model_id")),
}
_LONGEST_TEXT = 1 << 20
_LONGEST_HEAD = 100 << 20


def read_card(snapshot: Snapshot) -> dict[str, Any]:
    """The YAML at the top of README.md; empty when there is none that can be read."""
    match = _CARD_HEADER.match(_text(snapshot, "README.md"))
    try:
        card = yaml.safe_load(match.group(1)) if match else None
    except yaml.YAMLError:
        return {}
    # Through JSON: YAML also knows dates, which the Hub gives as text.
    return json.loads(json.dumps(card, default=str)) if isinstance(card, dict) else {}


def read_config(snapshot: Snapshot) -> dict[str, Any]:
    """The parts of config.json, tokenizer_config.json and the files of other libraries that the Hub shows."""
    config = _json(snapshot, "config.json")
    shown: dict[str, Any] = {
        name: config[name] for name in ("architectures", "model_type", "quantization_config") if name in config
    }
    if shown and "tokenizer_config.json" in snapshot.files:
        tokenizer = _json(snapshot, "tokenizer_config.json")
        shown["tokenizer_config"] = {name: tokenizer[name] for name in _TOKENIZER_FIELDS if name in tokenizer}
    for library, (path, fields) in _OTHER_LIBRARIES.items():
        content = _json(snapshot, path)
        if told := {name: content[name] for name in fields if name in content}:
            shown[library] = told
    return shown


def read_transformers_info(snapshot: Snapshot) -> dict[str, str] | None:
    """How transformers loads the model, by the first class that config.json names; None where no row fits."""
    config = _json(snapshot, "config.json")
    architecture = next(iter(config.get("architectures") or []), "")
    for row in _auto_models():
        wanted = row.get("model_types")
        if architecture.endswith(row["ending"]) and (wanted is None or config.get("model_type") in wanted):
            return {name: row[name] for name in ("auto_model", "pipeline_tag", "processor") if name in row}
    return None


def read_mask_token(snapshot: Snapshot) -> str | None:
    """The mask token of a model type that has one, or of a model that fills masks; None for other models."""
    config = _json(snapshot, "config.json")
    known: dict[str, str] = {**_kinds()["mask_tokens"]["transformers"], **_kinds()["mask_tokens"]["recorded"]}
    if token := known.get(str(config.get("model_type"))):
        return token
    if not next(iter(config.get("architectures") or []), "").endswith("ForMaskedLM"):
        return None
    own = _json(snapshot, "tokenizer_config.json").get("mask_token")
    return own.get("content") if isinstance(own, dict) else own


def read_library(card: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """The library: by the card's field, else by the files, else by the card's tags."""
    if "library_name" in card:
        return str(card["library_name"])
    if "model_type" in config:
        return "transformers"
    own = next((library for library in _OTHER_LIBRARIES if library in config), None)
    return own or next((tag for tag in card_tags(card) if tag in _kinds()["libraries"]), None)


def read_task(card: Mapping[str, Any], transformers_info: Mapping[str, str] | None) -> str | None:
    """The task: by the card's field, else by the most specific tag, else by the model's class."""
    if "pipeline_tag" in card:
        return str(card["pipeline_tag"])
    tags = card_tags(card)
    return next((task for task in _kinds()["tasks"] if task in tags), (transformers_info or {}).get("pipeline_tag"))


def card_tags(card: Mapping[str, Any]) -> list[str]:
    tags = card.get("tags")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


@cache
def _kinds() -> dict[str, Any]:
    kinds: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("model_kinds.yaml").read_text())
    return kinds


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
    """Tensors by the file's header: its length in 8 bytes, then JSON. Empty if it is not a safetensors file."""
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
