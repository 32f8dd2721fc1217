"""Turns plain values into a `Deployment`, or into faults worded for a person."""

import copy
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vertex_vllm.config.catalogue_check import Fault
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.config.shapes import MEANING
from vertex_vllm.config.value_hints import hint
from vertex_vllm.redaction import holds_secret

_SECRET = "looks like a token or a key. Put it into Secret Manager and name the secret; revoke it if others saw it"
_TYPE_NAMES = {
    "string_type": "must be text. Put it in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list, for example [one, two]",
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


def validate(values: Mapping[str, Any]) -> tuple[Deployment | None, list[Fault]]:
    """The deployment that the values describe, or None and its faults."""
    secrets = [Fault(path, _SECRET) for path in _secrets(values)]
    try:
        return Deployment.model_validate(dict(values)), secrets
    except ValidationError as error:
        faults = [
            Fault(tuple(detail["loc"]), _with_hint(detail), detail["type"] == "extra_forbidden")
            for detail in error.errors(include_url=False)
        ]
        told = {fault.path for fault in faults}
        return None, [*faults, *(secret for secret in secrets if secret.path not in told)]


def _secrets(value: Any, at: tuple[str | int, ...] = ()) -> Iterable[tuple[str | int, ...]]:
    """Paths of the texts that hold a token or a key."""
    if isinstance(value, str) and holds_secret(value):
        yield at
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _secrets(one, (*at, key))


def salvaged(values: Mapping[str, Any], faults: Iterable[Fault]) -> Deployment | None:
    """The deployment without its faulty fields, for further checks; None if the other fields make no deployment.

    A name or a model that is missing is filled in.
    """
    rest = copy.deepcopy(dict(values))
    for fault in faults:
        _drop(rest, fault.path)
    rest.setdefault("name", "salvaged")
    if not isinstance(rest.get("model"), dict) or "id" not in rest["model"]:
        rest["model"] = {"id": "salvaged/salvaged"}
    try:
        return Deployment.model_validate(rest)
    except ValidationError:
        return None


def _drop(values: Any, path: tuple[str | int, ...]) -> None:
    """Removes the value at `path`. An entry of a list takes the list with it: the other entries would move."""
    names = path[: next((number for number, part in enumerate(path) if isinstance(part, int)), len(path))]
    for part in names[:-1]:
        values = values.get(part) if isinstance(values, dict) else None
    if isinstance(values, dict) and names:
        values.pop(names[-1], None)


def _with_hint(detail: ErrorDetails) -> str:
    told = hint(tuple(detail["loc"]), detail["type"], detail["input"])
    return f"{_message(detail)}. {told}" if told else _message(detail)


def _message(detail: ErrorDetails) -> str:
    """A fault that pydantic found, in our words; none repeats the value, which may be a secret in the wrong place."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return f"is missing. {_description(detail['loc'])}".rstrip()
    if kind == "extra_forbidden":
        return f"unknown field. {_did_you_mean(detail['loc'])}".rstrip()
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
        if isinstance(part, int):  # an entry of the list that the last part led into
            continue
        inner = _section_in(section.model_fields[part].annotation) if part in section.model_fields else None
        if inner is None:
            return None
        section = inner
    return section


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds, itself or as entries of its list."""
    inner = get_args(annotation)[0] if get_origin(annotation) is list else annotation
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _paths_to(name: str, section: type[BaseModel] = Deployment, at: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    for field, info in section.model_fields.items():
        if field == name:
            yield (*at, field)
        inner = _section_in(info.annotation)
        if inner is not None:
            yield from _paths_to(name, inner, (*at, field))
