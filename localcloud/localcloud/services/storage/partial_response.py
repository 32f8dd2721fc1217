"""The `fields` parameter: the caller selects fields of the answer.

Grammar: `a,b/c,d(e,f/g),*` (cloud.google.com/storage/docs/json_api#partial-response).
"""

import re
from typing import Any

from localcloud.services.storage.storage_errors import invalid

_TOKEN = re.compile(r"[A-Za-z0-9_*.-]+|[(),/]")

Selection = dict[str, "Selection"]


def select(resource: Any, fields: str) -> Any:
    """The selected fields of `resource`. Raises StorageError (400) for a malformed selection."""
    tokens = _TOKEN.findall(fields)
    if "".join(tokens) != re.sub(r"\s", "", fields) or not tokens:
        raise _invalid(fields)
    selection = _parse_list(tokens, fields)
    if tokens:
        raise _invalid(fields)
    return _keep(resource, selection)


def _parse_list(tokens: list[str], fields: str) -> Selection:
    selection: Selection = {}
    while True:
        name, nested = _parse_field(tokens, fields)
        selection.setdefault(name, {}).update(nested)
        if not tokens or tokens[0] != ",":
            return selection
        tokens.pop(0)


def _parse_field(tokens: list[str], fields: str) -> tuple[str, Selection]:
    if not tokens or tokens[0] in "(),/":
        raise _invalid(fields)
    name = tokens.pop(0)
    if tokens and tokens[0] == "/":
        tokens.pop(0)
        inner, nested = _parse_field(tokens, fields)
        return name, {inner: nested}
    if tokens and tokens[0] == "(":
        tokens.pop(0)
        nested = _parse_list(tokens, fields)
        if not tokens or tokens.pop(0) != ")":
            raise _invalid(fields)
        return name, nested
    return name, {}


def _keep(value: Any, selection: Selection) -> Any:
    if not selection:
        return value
    if isinstance(value, list):
        return [_keep(item, selection) for item in value]
    if not isinstance(value, dict):
        return value
    everything = selection.get("*")
    kept = {name: selection.get(name, everything) for name in value}
    return {name: _keep(value[name], nested) for name, nested in kept.items() if nested is not None}


def _invalid(fields: str) -> Exception:
    return invalid(f"Invalid field selection {fields}")
