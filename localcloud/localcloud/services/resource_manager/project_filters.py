"""Filters of v1 `projects.list`: terms `field:value` that must all hold, case-insensitive, with `*` as wildcard.

Resource Manager, reference of v1 `projects.list`, parameter `filter` (read 2026-11-30). `gcloud projects list` always
sends `lifecycleState:ACTIVE`.
"""

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from localcloud.core.api_errors import ApiError

Fields = dict[str, Any]

_TERM = re.compile(r'([A-Za-z]+(?:\.[A-Za-z0-9_-]+)?)[:=]("[^"]*"|[^\s"()]+)')
_FIELDS = ("id", "projectId", "name", "lifecycleState", "parent.type", "parent.id")


def project_filter(text: str) -> Callable[[Fields], bool]:
    """A function that tests a v1 project. Raises ApiError UNIMPLEMENTED for OR, NOT, parentheses and other fields."""
    terms = [_term(word) for word in re.findall(r'(?:[^\s"]|"[^"]*")+', text) if word != "AND"]
    return lambda project: all(term(project) for term in terms)


def _term(word: str) -> Callable[[Fields], bool]:
    found = _TERM.fullmatch(word)
    if found is None or not (found[1] in _FIELDS or found[1].startswith("labels.")):
        raise ApiError("UNIMPLEMENTED", f"The local cloud does not implement {word!r} in a filter of v1 projects.list.")
    path = ("projectId" if found[1] == "id" else found[1]).split(".")
    wanted = found[2].strip('"').lower().replace("[", "[[]")

    def holds(project: Fields) -> bool:
        value: Any = project
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return isinstance(value, str) and fnmatchcase(value.lower(), wanted)

    return holds
