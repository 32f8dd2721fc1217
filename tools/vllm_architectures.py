"""The architectures that one vLLM version has, read from its model registry, and the catalogue's table of them.

Read from the syntax tree of `vllm/model_executor/models/registry.py`, so nothing is imported.
"""

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.version_tables import FOLDER
from vertex_vllm.vllm_versions import version_key

ARCHITECTURES = FOLDER / "architectures.yaml"
REGISTRY = "vllm/model_executor/models/registry.py"
# Tables of the registry: the first with an architecture decides. Other tables have parts of models, or generic models.
TABLES = {
    "_TEXT_GENERATION_MODELS": "text",
    "_MULTIMODAL_MODELS": "images",
    "_EMBEDDING_MODELS": "pooling",
    "_LATE_INTERACTION_MODELS": "pooling",
    "_REWARD_MODELS": "pooling",
    "_TOKEN_CLASSIFICATION_MODELS": "pooling",
    "_SEQUENCE_CLASSIFICATION_MODELS": "pooling",
    "_CROSS_ENCODER_MODELS": "pooling",
}
REMOVED = "_PREVIOUSLY_SUPPORTED_MODELS"


def read_architectures(root: Path) -> dict[str, str]:
    """Architecture → text, images or pooling. `root`: folder of the unpacked `vllm`. Empty without a registry."""
    tables = _tables(root)
    found: dict[str, str] = {}
    for table, takes in TABLES.items():
        for name in tables.get(table, {}):
            found.setdefault(name, takes)
    return found


def read_removed(root: Path) -> dict[str, str]:
    """Removed architecture → the last version that had it, according to this version."""
    return {name: str(version) for name, version in _tables(root).get(REMOVED, {}).items()}


def with_architectures(text: str, version: str, found: Mapping[str, str], removed: Mapping[str, str]) -> str:
    """The text of architectures.yaml with a version's architectures. Rows of other architectures do not change."""
    head, _, _ = text.partition("\nchecked:")
    content = yaml.safe_load(text)
    rows: dict[str, dict[str, Any]] = {row["architecture"]: row for row in content["architectures"]}
    for name, takes in found.items():
        row = rows.setdefault(
            name, {"architecture": name, "takes": takes, "first": version, "last": version, "source": ["vllm-code"]}
        )
        row["first"] = min(row["first"], version, key=version_key)
        row["last"] = max(row["last"], version, key=version_key)
    for name, last in removed.items():
        if name in rows:
            rows[name]["removed_after"] = last
    checked = sorted({*content["checked"], version}, key=version_key)
    lines = [head.rstrip(), "", f"checked: {json.dumps(checked)}", "", "architectures:"]
    lines += [f"  - {_flow(rows[name])}" for name in sorted(rows)]
    return "\n".join(lines) + "\n"


def _flow(row: Mapping[str, Any]) -> str:
    """One line of YAML, versions in quotes."""
    written = []
    for key in ("architecture", "takes", "first", "last", "removed_after"):
        if key in row:
            written.append(f"{key}: {row[key]}" if key in ("architecture", "takes") else f'{key}: "{row[key]}"')
    return f"{{{', '.join(written)}, source: [{', '.join(row['source'])}]}}"


def _tables(root: Path) -> dict[str, dict[str, Any]]:
    """Name of each dictionary at the top of the registry → its keys, with their values where these are text."""
    file = root / REGISTRY
    tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.Module([], [])
    found: dict[str, dict[str, Any]] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Dict):
            found[target.id] = {
                str(key.value): each.value if isinstance(each, ast.Constant) else ""
                for key, each in zip(value.keys, value.values, strict=True)
                if isinstance(key, ast.Constant)
            }
    return found
