"""A suite from its files: YAML with JSONL beside it, in the repository or in Cloud Storage. Faults by file and line."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field, ValidationError

from vertex_vllm.config.yaml_document import Document, DocumentError, read_document
from vertex_vllm.encoded_text import utf8_text
from vertex_vllm.error_data import ConfigFault
from vertex_vllm.errors import ConfigError, InputError
from vertex_vllm.evaluation.suites.checks import Part
from vertex_vllm.evaluation.suites.item import ANSWER_TOKENS, Example, Item, Name
from vertex_vllm.evaluation.suites.shipped_suites import SHIPPED, shipped_suite
from vertex_vllm.evaluation.suites.suite import Suite, from_bundle

MOST_ITEMS = 20_000
MOST_BYTES = 64 << 20
"""Of one file of a suite."""
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")

ReadFile = Callable[[str], bytes]
"""Bytes of a file by its name relative to the suite. Raises FileNotFoundError, or OSError with the reason."""


class Header(Part):
    """The YAML file of a suite. A field of an item wins over the same field here."""

    name: Name
    license: str = Field(min_length=1, max_length=100, description="SPDX identifier, for example Apache-2.0.")
    items: list[str] = Field(min_length=1, max_length=64, description="JSONL files beside the YAML file.")
    description: str = Field(default="", max_length=2000)
    system: str = Field(default="", max_length=20_000, description="System message of every item.")
    instruction: str = Field(default="", max_length=2000, description="Appended to every prompt, on a line of its own.")
    examples: list[Example] = Field(default=[], max_length=16, description="Shown before every item.")
    max_tokens: int = Field(default=ANSWER_TOKENS, ge=1, le=32_768, description="Longest answer, in tokens.")


def load_suite(place: str, project: str = "") -> Suite:
    """A shipped suite by its name, a YAML file of the repository, or gs://…/suite.yaml or a bundle gs://….json.

    `project`: for Cloud Storage; empty: the credentials' own.

    Raises:
        ConfigError: all faults of the suite's files, one line each: `file:line: field: what is wrong. What to do.`
        InputError: the suite does not exist.
        ServiceError: Cloud Storage refuses.
    """
    if place in SHIPPED:
        return shipped_suite(place)
    if place.startswith("gs://"):
        from vertex_vllm.evaluation.suites.suite_objects import object_reader

        folder, _, name = place.rpartition("/")
        read = object_reader(folder, project)
        if name.endswith(".json"):
            return from_bundle(_text(read, name, place), place)
        return read_suite(name, read, folder + "/")
    if not place.endswith((".yaml", ".yml")):
        known = ", ".join(SHIPPED)
        fix = f"Known: {known}; or name a YAML file of the repository, or gs://BUCKET/…/suite.yaml."
        raise InputError(f"there is no suite {place!r}", where="evaluation.suite", fix=fix)
    path = Path(place)
    shown = "" if path.parent == Path() else f"{path.parent}/"
    return read_suite(path.name, lambda name: _read_local(path.parent, name), shown)


def read_suite(name: str, read: ReadFile, shown_folder: str = "") -> Suite:
    """The suite whose YAML file is `name`; faults put `shown_folder` before file names."""
    shown = shown_folder + name
    try:
        document = read_document(_text(read, name, shown))
    except DocumentError as error:
        raise ConfigError([ConfigFault(shown, error.line, "", error.message)]) from None
    faults = [ConfigFault(shown, document.line(path), _dotted(path), what) for path, what in document.unreadable]
    faults += [
        ConfigFault(shown, line, _dotted(path), "given again. Keep one of them") for line, path in document.repeated
    ]
    listed = document.line(("items",))
    try:
        header = Header.model_validate(document.values)
    except ValidationError as error:
        raise ConfigError([*faults, *_header_faults(error, document, shown)]) from None
    items: list[Item] = []
    lines: dict[str, str] = {}
    for file in header.items:
        if _outside(file):
            faults.append(ConfigFault(shown, listed, "items", f"{file} is not beside the suite. Move it there"))
            continue
        found, wrong = _items_of(header, file, read, shown_folder, lines)
        items += found
        faults += wrong
    if not faults and not 1 <= len(items) <= MOST_ITEMS:
        faults.append(ConfigFault(shown, listed, "items", f"{len(items)} items. Give 1 to {MOST_ITEMS}"))
    if faults:
        raise ConfigError(faults)
    return Suite(header.name, header.license, tuple(items), header.description)


def _items_of(
    header: Header, file: str, read: ReadFile, shown_folder: str, lines: dict[str, str]
) -> tuple[list[Item], list[ConfigFault]]:
    """Items of one JSONL file, and its faults; `lines` remembers the line of every id and digest."""
    shown = shown_folder + file
    items: list[Item] = []
    faults: list[ConfigFault] = []
    for number, line in enumerate(_text(read, file, shown).split("\n"), 1):
        if not line.strip():
            continue
        here = f"{shown}:{number}"
        try:
            item = _item(header, _parsed(line), read)
        except ValidationError as error:
            faults += [ConfigFault(shown, number, _dotted(path), what) for path, what in _told(error)]
            continue
        except (ValueError, RecursionError) as error:
            faults.append(ConfigFault(shown, number, "", " ".join(str(error).split())))
            continue
        if item.id in lines:
            also = f"{item.id} is the id of {lines[item.id]} too. Give each item its own"
            faults.append(ConfigFault(shown, number, "id", also))
        elif item.digest in lines:
            again = f"the same question as {lines[item.digest]}, which would count twice. Leave it out"
            faults.append(ConfigFault(shown, number, "", again))
        lines |= {item.id: here, item.digest: here}
        items.append(item)
    return items, faults


def _item(header: Header, row: Any, read: ReadFile) -> Item:
    """Raises ValidationError, or ValueError with one sentence that says what to do."""
    if not isinstance(row, dict):
        raise ValueError("is not a JSON object. Write one object per line: id, category, prompt, check")
    if "content" in row:
        raise ValueError("content: unknown field. Name a file in picture")
    common = {"system": header.system, "examples": [example.model_dump() for example in header.examples]}
    item = Item.model_validate({**common, "max_tokens": header.max_tokens, **row})
    prompt = f"{item.prompt}\n{item.check.shown}" if item.check.kind == "choice" else item.prompt
    prompt = f"{prompt}\n{header.instruction}" if header.instruction else prompt
    changes: dict[str, Any] = {"prompt": prompt}
    if item.picture:
        changes["content"] = _picture(item.picture, read)
    return item.model_copy(update=changes)


def _picture(name: str, read: ReadFile) -> bytes:
    if _outside(name):
        raise ValueError(f"picture: {name} is not beside the suite. Move it there")
    try:
        content = read(name)
    except OSError as error:
        raise ValueError(f"picture: {name} cannot be read: {error.strerror or error}. Name a file beside it") from None
    if not content.startswith(_PICTURES):
        raise ValueError(f"picture: {name} is neither PNG nor JPEG. Convert it")
    return content


def _text(read: ReadFile, name: str, shown: str) -> str:
    try:
        data = read(name)
    except FileNotFoundError:
        raise ConfigError([ConfigFault(shown, 1, "", "no such file. Name one that exists")]) from None
    except OSError as error:
        raise ConfigError([ConfigFault(shown, 1, "", f"cannot be read: {error.strerror or error}")]) from None
    if len(data) > MOST_BYTES:
        raise ConfigError(
            [ConfigFault(shown, 1, "", f"larger than {MOST_BYTES >> 20} MiB. Split it into several files")]
        )
    try:
        return utf8_text(data)
    except ValueError as error:
        raise ConfigError([ConfigFault(shown, 1, "", str(error))]) from None


def _read_local(folder: Path, name: str) -> bytes:
    """Raises OSError, also for a link that leads out of the folder: the suite is sent to a bucket."""
    try:
        path = (folder / name).resolve()
    except ValueError as error:  # a NUL character
        raise OSError(f"no name of a file: {error}") from None
    if not path.is_relative_to(folder.resolve()):
        raise OSError(f"{path} is not beside the suite")
    return path.read_bytes()


def _outside(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name or not name


def _parsed(line: str) -> Any:
    """Raises ValueError for what is not JSON, and for an object that gives a key twice: Python would take the last."""
    return json.loads(line, parse_constant=_refuse_constant, object_pairs_hook=_without_repetition)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"{key}: given again. Keep one of them")
        values[key] = value
    return values


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON. Write a number")


def _header_faults(error: ValidationError, document: Document, shown: str) -> list[ConfigFault]:
    return [ConfigFault(shown, document.line(path), _dotted(path), what) for path, what in _told(error)]


def _told(error: ValidationError) -> list[tuple[tuple[str | int, ...], str]]:
    """Path and sentence of each fault, with the kinds of checks left out of the path."""
    kinds = {"exact", "includes", "regex", "choice", "number", "json_schema", "form"}
    told = []
    for fault in error.errors(include_url=False, include_input=False):
        path = tuple(part for part in fault["loc"] if part not in kinds)
        what = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            what = "unknown field. Leave it out, or correct its spelling"
        elif fault["type"] == "missing":
            what = "missing. Add it"
        told.append((path, what[:1].lower() + what[1:]))
    return told


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path)) or "(whole file)"
