"""From a YAML file to a `Deployment`, or all that is wrong with it, line by line."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.catalogue_check import Fault, check_against_catalog
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.config.shapes import MEANING
from vertex_vllm.config.yaml_document import Document, DocumentError, read_document
from vertex_vllm.errors import ConfigError

_UNKNOWN = "unknown field"
_TYPE_NAMES = {
    "string_type": "must be text. Put it in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "model_type": "must be a section with fields of its own",
    "model_attributes_type": "must be a section with fields of its own",
    "string_too_short": "must not be empty",
}
_BOUNDS = {
    "greater_than": ("gt", "must be more than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
    "string_too_long": ("max_length", "has too many characters, more than"),
    "too_long": ("max_length", "has too many entries, more than"),
}


def load_deployment(path: Path | str) -> Deployment:
    """The deployment that a file describes, checked against the catalogue too.

    Raises:
        ConfigError: all faults of the file, one line each: `file:line: field: what. What to do.`
    """
    path = Path(path)
    try:
        document = read_document(_text(path))
    except DocumentError as error:
        raise ConfigError([f"{path}:{error.line}: {error.message}"]) from None
    deployment, faults = validate(document.values)
    faults = _with_unreadable(faults, document)
    if deployment is not None and not faults:
        faults = list(check_against_catalog(deployment, load_catalog()))
    lines = _located(path, document, faults)
    if deployment is None or lines:
        raise ConfigError(lines)
    return deployment


def validate(values: Mapping[str, Any]) -> tuple[Deployment | None, list[Fault]]:
    """A deployment of plain values, or what is wrong with them."""
    try:
        return Deployment.model_validate(dict(values)), []
    except ValidationError as error:
        return None, [Fault(tuple(detail["loc"]), _message(detail)) for detail in error.errors(include_url=False)]


def _text(path: Path) -> str:
    """Raises DocumentError where the file cannot be read as text."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DocumentError(1, "no such file") from None
    except (UnicodeDecodeError, ValueError):
        raise DocumentError(1, "is not UTF-8 text") from None
    except OSError as error:
        raise DocumentError(1, f"cannot be read: {error.strerror}") from None


def _with_unreadable(faults: Iterable[Fault], document: Document) -> list[Fault]:
    """One fault a field: that it is unknown before that its value is no value, and that before its wrong type."""
    unknown = {fault.path for fault in faults if fault.message.startswith(_UNKNOWN)}
    unreadable = {path: Fault(path, message) for path, message in document.unreadable if path not in unknown}
    return [*unreadable.values(), *(fault for fault in faults if fault.path not in unreadable)]


def _located(path: Path, document: Document, faults: Iterable[Fault]) -> list[str]:
    lines = [(document.line(fault.path), _dotted(fault.path), fault.message) for fault in faults]
    for line, key in document.repeated:
        lines.append((line, _dotted(key), f"given again, after line {document.lines[key]}. Keep one of them"))
    return [f"{path}:{line}: {name}: {message}" for line, name, message in sorted(lines)]


def _dotted(path: tuple[str | int, ...]) -> str:
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name or "(whole file)"


def _message(detail: ErrorDetails) -> str:
    """What pydantic found, in our words; none repeats the value, which may be a secret in the wrong place."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return f"is missing. {_description(detail['loc'])}".rstrip()
    if kind == "extra_forbidden":
        return f"{_UNKNOWN}. {_did_you_mean(detail['loc'])}".rstrip()
    if kind == "string_pattern_mismatch":
        return f"must be {MEANING[context['pattern']]}"
    if kind == "literal_error":
        return f"must be one of {context['expected']}"
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return f"{words} {context[bound]}"
    return _TYPE_NAMES.get(kind, detail["msg"])


def _did_you_mean(location: tuple[str | int, ...]) -> str:
    section = _section(location[:-1])
    known = list(section.model_fields) if section else []
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    elsewhere = [".".join(map(str, path)) for path in _paths_to(str(location[-1])) if path != location]
    if near:
        return f"Did you mean {near[0]}?"
    if elsewhere:
        return f"It belongs at {elsewhere[0]}"
    return f"Known here: {', '.join(known)}"


def _description(location: tuple[str | int, ...]) -> str:
    section = _section(location[:-1])
    return (section.model_fields[str(location[-1])].description or "") if section else ""


def _section(location: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The part of `Deployment` that a path leads to; None where it leads elsewhere."""
    section: type[BaseModel] = Deployment
    for part in location:
        annotation = section.model_fields[str(part)].annotation if str(part) in section.model_fields else None
        if not isinstance(annotation, type) or not issubclass(annotation, BaseModel):
            return None
        section = annotation
    return section


def _paths_to(name: str, section: type[BaseModel] = Deployment, at: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    for field, info in section.model_fields.items():
        if field == name:
            yield (*at, field)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _paths_to(name, info.annotation, (*at, field))
