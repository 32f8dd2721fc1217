"""Violations in a request's fields, all reported together in Vertex AI's form."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from localcloud.core.api_errors import ApiError

_REQUIRED = "Required field is not set."
# `Model.labels` and `Endpoint.labels`: at most 64 lower-case letters of any alphabet, digits, underscores, dashes.
_LABEL_KEY = re.compile(r"[^\W\dA-Z_][\w-]{0,63}")
_LABEL_VALUE = re.compile(r"[\w-]{0,64}")
_DISPLAY_NAME_LENGTH = 128


class Violations:
    """Collects violations; `raise_any` raises them in Vertex AI's form."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def add(self, field: str, message: str) -> None:
        self._found.append((field, message))

    def require(self, field: str, value: Any) -> None:
        if not value:
            self.add(field, _REQUIRED)

    def display_name(self, field: str, value: str) -> None:
        self.require(field, value)
        if len(value) > _DISPLAY_NAME_LENGTH:
            self.add(field, f"Longer than {_DISPLAY_NAME_LENGTH} characters.")

    def labels(self, field: str, labels: Mapping[str, str]) -> None:
        for key, value in labels.items():
            if not _LABEL_KEY.fullmatch(key) or key != key.lower():
                self.add(field, f"Invalid label key `{key}`.")
            if not _LABEL_VALUE.fullmatch(value) or value != value.lower():
                self.add(field, f"Invalid value `{value}` of label `{key}`.")

    def raise_any(self) -> None:
        """Raises ApiError INVALID_ARGUMENT if a violation was added."""
        if self._found:
            listed = "".join(f"\t{n}.Field: {field}; Message: {why}" for n, (field, why) in enumerate(self._found, 1))
            raise ApiError("INVALID_ARGUMENT", f"List of found errors:{listed}\t")


def check_update_mask(paths: Collection[str], updatable: Collection[str]) -> None:
    """Raises ApiError INVALID_ARGUMENT for an empty mask, or for a field that an update cannot change."""
    violations = Violations()
    violations.require("update_mask", paths)
    for path in paths:
        if path not in updatable:
            violations.add("update_mask", f"`{path}` cannot be updated; {', '.join(sorted(updatable))} can.")
    violations.raise_any()


def check_etag(given: str, current: str) -> None:
    """Raises ApiError ABORTED if the caller read an older state. Without an etag, the update overwrites."""
    if given and given != current:
        raise ApiError("ABORTED", "The etag does not match: the resource was changed since it was read. Read it again.")
