"""Files that may be meant as configs and are not read as configs: each is reported, so that none is skipped in
silence."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from vertex_vllm.ci.concerned_configs import CONFIGS, is_config, is_example
from vertex_vllm.config.yaml_document import DocumentError, read_document
from vertex_vllm.encoded_text import readable_text

EntryKind = Literal["file", "link", "submodule"]

_YAML = (".yaml", ".yml")
_TEXTS = (*_YAML, ".json", ".toml")
# Beside configs, nothing else is expected to be there.
_KNOWN = (".md", ".schema.json")
# Lines of a config, in a text that is not one plain YAML document.
_NAME = re.compile(r"^name:[ \t]*\S", re.MULTILINE)
_MODEL = re.compile(r"^model:[ \t]*(\{.*\bid:|(#.*)?\n(([ \t].*)?\n)*?[ \t]+id:)", re.MULTILINE)
_NOT_DEPLOYED = frozenset(("examples", "test", "tests", "docs", "testdata", "fixtures"))


@dataclass(frozen=True)
class Unread:
    path: str
    why: str
    """The fault and its remedy; no full stop at the end."""
    is_fault: bool
    """Whether the file may hold a deployment, so that the change cannot be judged without it."""


def unread(
    paths: Iterable[str],
    kinds: Mapping[str, EntryKind],
    text_of: Callable[[str], str | None],
    retired: Iterable[str] = (),
) -> tuple[Unread, ...]:
    """Of `paths`, the files of a commit that are not read although they may be configs; by path.

    `kinds`: what the commit has at a path, a file where the path is missing. `retired`: names of deployments that the
    change takes out of configs/; a copy of such a config elsewhere is not meant to be deployed.
    """
    gone = set(retired)
    found = []
    for path in sorted(set(paths)):
        kind = kinds.get(path, "file")
        told = _beside_configs(path, kind, text_of) if _is_beside(path) else _elsewhere(path, kind, text_of, gone)
        if told is not None:
            found.append(told)
    return tuple(found)


def deployment_name(text: str | None) -> str | None:
    """The name that a config gives its deployment, whether or not the config is valid; None where it has none."""
    name = _values(text).get("name")
    return name if isinstance(name, str) else None


def looks_like_config(text: str | None) -> bool:
    """Whether a YAML or JSON text has a name, and a model with an id; a text that is neither, by its lines."""
    try:
        values = _document(text)
    except DocumentError:
        readable = _readable(text)
        return bool(_NAME.search(readable) and _MODEL.search(readable))
    model = values.get("model")
    return "name" in values and isinstance(model, Mapping) and "id" in model


def _is_beside(path: str) -> bool:
    return path == CONFIGS.rstrip("/") or path.startswith(CONFIGS)


def _beside_configs(path: str, kind: EntryKind, text_of: Callable[[str], str | None]) -> Unread | None:
    if is_example(path):
        return None
    if kind == "link":
        return Unread(path, "is a symbolic link, which is not followed. Commit the file itself in its place", True)
    if kind == "submodule":
        return Unread(path, "is a submodule, which is not read. Commit its configs themselves", True)
    if is_config(path):
        return None
    if path.lower().endswith(_YAML):
        return Unread(path, "is not read: configs end in .yaml. Rename it", True)
    if path.endswith(_KNOWN):
        return None
    if looks_like_config(text_of(path)):
        return Unread(path, "looks like a config and is not read: configs end in .yaml. Write it as YAML", True)
    return Unread(path, "is not read: configs end in .yaml", False)


def _elsewhere(path: str, kind: EntryKind, text_of: Callable[[str], str | None], gone: set[str]) -> Unread | None:
    place = PurePosixPath(path)
    if not path.lower().endswith(_TEXTS) or _NOT_DEPLOYED & set(place.parts[:-1]):
        return None
    if kind != "file":
        is_inside = "configs" in place.parts[:-1]
        why = "is a symbolic link below a folder named configs, and is not read"
        return Unread(path, f"{why}. Commit the file itself below {CONFIGS} at the root", True) if is_inside else None
    text = text_of(path)
    if not looks_like_config(text) or deployment_name(text) in gone:
        return None
    return Unread(path, f"looks like a config and is not read. Move it below {CONFIGS} at the repository's root", True)


def _values(text: str | None) -> Mapping[str, Any]:
    """Fields of a YAML or JSON text in any encoding; none where it is neither."""
    try:
        return _document(text)
    except DocumentError:
        return {}


def _document(text: str | None) -> Mapping[str, Any]:
    """Fields of a YAML or JSON text in any encoding. Raises DocumentError where it is neither."""
    if text is None:
        return {}
    return read_document(_readable(text)).values


def _readable(text: str | None) -> str:
    return readable_text((text or "").encode("utf-8", "surrogateescape"))
