"""The filters of a metadata store's list methods, by the comments on `ListContextsRequest` and its neighbours."""

import re
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from localcloud.core.filters import FilterParser, Predicate, path_of, unquote
from localcloud.services.ml_metadata.metadata_kinds import CONTEXT, NodeKind

Names = Callable[[str], frozenset[str]]
"""Name of a context, with its project's id or number → names with the number."""
_VALUES = ("bool_value", "number_value", "string_value")
_TIMES = ("create_time", "update_time")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class MetadataFilter(FilterParser):
    """Attributes, `metadata.KEY.TYPE`, `in_context("…")`, and `parent_contexts:` and `child_contexts:` of contexts.

    Names of contexts are full, and with the project's number or id. Times are in RFC 3339 format.
    """

    deepest = 5

    def __init__(self, text: str, node: NodeKind, members: Names, parents: Names) -> None:
        """`members`: the artifacts and executions of a context; `parents`: its parents. A context may be missing."""
        super().__init__(text, {})
        self._node, self._members, self._parents = node, members, parents

    def comparison(self, field: str) -> Predicate:
        """Raises ApiError INVALID_ARGUMENT for a field that the list method does not name."""
        if field == "in_context" and self._node is not CONTEXT:
            return self._in_context()
        if field in ("parent_contexts", "child_contexts") and self._node is CONTEXT:
            return self._related(field)
        if field.startswith("metadata."):
            return self._metadata(field)
        if field not in self._node.attributes:
            raise self.refusal(f"{field!r} is not one of {', '.join(sorted(self._node.attributes))}")
        if field in _TIMES and len(self.tokens) > 1 and not _RFC_3339.fullmatch(unquote(self.tokens[1])):
            raise self.refusal(f"{self.tokens[1]} is not a time in RFC 3339 format")
        return super().comparison(field)

    def _metadata(self, field: str) -> Predicate:
        """A value of another type than the filter names is unequal to any."""
        path = path_of(field)[1:]
        if len(path) != 2 or path[1] not in _VALUES:
            raise self.refusal(f"{field!r} is not metadata.KEY.TYPE with a type of {', '.join(_VALUES)}")
        key, kind = path
        unequal = self.tokens[:1] == ["!="]
        holds = super().comparison(f"metadata.fields.{field.removeprefix('metadata.')}")

        def matches(message: Any) -> bool:
            if key in message.metadata and message.metadata.fields[key].WhichOneof("kind") != kind:
                return unequal
            return holds(message)

        return matches

    def _in_context(self) -> Predicate:
        if self.next() != "(":
            raise self.refusal("in_context needs a context's name in parentheses")
        inside = self._members(self._context(self.next()))
        if self.next() != ")":
            raise self.refusal("a parenthesis is not closed")
        return lambda message: _name(message) in inside

    def _related(self, field: str) -> Predicate:
        if self.next() != ":":
            raise self.refusal(f"{field} takes the operator : alone")
        context = self._context(self.next())
        if field == "parent_contexts":
            return lambda message: context in self._parents(_name(message))
        children_of = self._parents(context)
        return lambda message: _name(message) in children_of

    def _context(self, token: str) -> str:
        if not token.startswith('"') or '","' in token:
            raise self.refusal(f"{token} is not one context's full name in quotes")
        return unquote(token)


def _name(message: Message) -> str:
    named: Any = message
    return str(named.name)
