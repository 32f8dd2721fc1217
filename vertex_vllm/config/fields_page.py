"""The reference of a config's fields: `python -m vertex_vllm.config.fields_page docs/fields.md` writes it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vertex_vllm.config.deployment import Deployment

_HEAD = """\
# Fields of a config

Every field of `configs/*.yaml`, with its type, default and bounds. `make compile` writes this page from the schema
that `vertex-vllm validate` uses; [configs.md](configs.md) explains the fields in context.
"""

_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}


def fields_page() -> str:
    """The page, with a section for each part of a config."""
    schema = Deployment.model_json_schema()
    return "\n".join([_HEAD, *_sections(schema, schema, "")])


def _sections(schema: dict[str, Any], part: dict[str, Any], path: str) -> Iterator[str]:
    inner: list[tuple[str, dict[str, Any]]] = []
    lines = [
        f"## `{path}`" if path else "## Top level",
        "",
        "| field | type | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in part["properties"].items():
        section = _section(schema, field)
        if section is not None:
            inner.append((f"{path}.{name}" if path else name, section))
        required = name in part.get("required", ())
        default = "required" if required else _default(field, section is not None)
        # Pydantic leaves out a field's description that is also its section's docstring.
        meaning = field.get("description") or (section or {}).get("description", "")
        lines.append(f"| `{name}` | {_type(field)} | {default} | {_cell(meaning)} |")
    yield "\n".join(lines) + "\n"
    for where, section in inner:
        yield from _sections(schema, section, where)


def _section(schema: dict[str, Any], field: dict[str, Any]) -> dict[str, Any] | None:
    """The part that the field holds, itself or as entries of its list; None for a plain value."""
    reference = field.get("$ref") or field.get("items", {}).get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else None


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return "section"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"] if each.get("type") != "null")
    if field.get("type") == "array":
        kind, comma, bounds = _type(field["items"]).partition(", ")
        return f"list of {kind}s{comma}{bounds}"
    named = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return named.get(field.get("type", ""), "any values") + _bounds(field)


def _bounds(field: dict[str, Any]) -> str:
    bounds = [f"{words} {field[key]}" for key, words in _BOUNDS.items() if key in field]
    return f", {', '.join(bounds)}" if bounds else ""


def _default(field: dict[str, Any], is_section: bool) -> str:
    value = field.get("default")
    if is_section or value in (None, "", [], {}):
        return "–"
    return f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(paths: list[str]) -> None:
    """Writes the page to each of the paths."""
    for path in paths:
        Path(path).write_text(fields_page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
