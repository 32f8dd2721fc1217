"""The filter language of Google's list methods (AIP-160) on messages: fields, maps, AND, OR, NOT."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.core.api_errors import ApiError

Predicate = Callable[[Message], bool]
Aliases = Mapping[str, Callable[[Any], str]]
"""Names that a filter may use and the message does not have, such as `endpoint` for an endpoint's id."""

_TOKEN = re.compile(r'\s*([()]|!=|>=|<=|[=:<>]|(?:[^\s()=:<>!"]|"(?:\\.|[^"\\])*")+)')
_PATH_PART = re.compile(r'"((?:\\.|[^"\\])*)"|([^."]+)')
_OPERATORS = ("=", "!=", ":", ">", "<", ">=", "<=")


def compile_filter(text: str, aliases: Aliases | None = None) -> Predicate:
    """Raises ApiError INVALID_ARGUMENT for text that is not a filter; an unknown field is refused when the filter is
    applied."""
    if not text.strip():
        return lambda message: True
    return FilterParser(text, aliases or {}).whole()


def field_values(message: Any, path: list[str]) -> list[Any]:
    """All values at a path of field names (either case) and map keys; a repeated field gives each of its elements.

    An enum value is given by name. Raises ApiError INVALID_ARGUMENT when the field does not exist.
    """
    fields = message.DESCRIPTOR.fields_by_name
    field = fields.get(path[0]) or message.DESCRIPTOR.fields_by_camelcase_name.get(path[0])
    if field is None:
        raise ApiError("INVALID_ARGUMENT", f"Invalid field name in filter: {'.'.join(path)}.")
    value, rest = getattr(message, field.name), path[1:]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        keys = rest[:1] or list(value)
        return [found for key in keys if key in value for found in _descend(value[key], rest[1:], None)]
    if field.message_type is not None and not field.is_repeated and not message.HasField(field.name):
        return []
    elements = value if field.is_repeated else [value]
    return [found for element in elements for found in _descend(element, rest, field)]


def _descend(value: Any, rest: list[str], field: FieldDescriptor | None) -> list[Any]:
    if field is not None and field.enum_type is not None:
        return [field.enum_type.values_by_number[value].name]
    if rest:
        return field_values(value, rest)
    return [value]


class FilterParser:
    """Parses a filter from left to right. A list method that accepts only a part of the language has a subclass."""

    deepest = 50
    """Parentheses and NOTs inside one another, at most; AIP-160 names no number."""

    def __init__(self, text: str, aliases: Aliases) -> None:
        self._text = text
        self._aliases = aliases
        self._depth = 0
        self.tokens: list[str] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise self.refusal(f"cannot read {text[position:].strip()!r}")
            self.tokens.append(match.group(1))
            position = match.end()

    def refusal(self, why: str) -> ApiError:
        return ApiError("INVALID_ARGUMENT", f"Invalid filter {self._text!r}: {why}.")

    def whole(self) -> Predicate:
        """Raises ApiError INVALID_ARGUMENT for text that is not a filter."""
        predicate = self.conjunction()
        if self.tokens:
            raise self.refusal(f"unexpected {self.tokens[0]!r}")
        return predicate

    def conjunction(self) -> Predicate:
        terms = [self._disjunction()]
        while self.tokens and self.tokens[0] not in (")", "OR"):
            if self.tokens[0] == "AND":
                self.tokens.pop(0)
            terms.append(self._disjunction())
        return lambda message: all(term(message) for term in terms)

    def _disjunction(self) -> Predicate:
        # OR binds more tightly than AND in this language.
        terms = [self._term()]
        while self.tokens and self.tokens[0] == "OR":
            self.tokens.pop(0)
            terms.append(self._term())
        return lambda message: any(term(message) for term in terms)

    def _term(self) -> Predicate:
        token = self.next()
        if token not in ("NOT", "("):
            return self.comparison(token)
        self._depth += 1
        if self._depth > self.deepest:
            raise self.refusal(f"it is nested more than {self.deepest} deep")
        inside = self._term() if token == "NOT" else self.conjunction()
        if token == "(" and self.next() != ")":
            raise self.refusal("a parenthesis is not closed")
        self._depth -= 1
        return (lambda message: not inside(message)) if token == "NOT" else inside

    def comparison(self, field: str) -> Predicate:
        operator = self.next()
        if operator not in _OPERATORS:
            raise self.refusal(f"{field!r} is followed by {operator!r}, not by one of {' '.join(_OPERATORS)}")
        wanted = unquote(self.next())
        path = path_of(field)
        if not path:  # dots and nothing between them
            raise self.refusal(f"{field!r} names no field")
        alias = self._aliases.get(field)

        def holds(message: Message) -> bool:
            if operator == ":" and not alias and _is_map(message, path):
                return wanted in getattr(message, path[0])
            values = [alias(message)] if alias else field_values(message, path)
            return _compare(values, operator, wanted)

        return holds

    def next(self) -> str:
        if not self.tokens:
            raise self.refusal("it ends too early")
        return self.tokens.pop(0)


def _compare(values: Iterable[Any], operator: str, wanted: str) -> bool:
    if operator == "!=":
        return not any(_equal(value, wanted) for value in values)
    if operator == "=":
        return any(_equal(value, wanted) for value in values)
    if operator == ":":
        return any(_has(value, wanted) for value in values)
    return any(_ordered(value, operator, wanted) for value in values)


def _equal(value: Any, wanted: str) -> bool:
    if isinstance(value, str):
        pattern = ".*".join(re.escape(part) for part in wanted.split("*"))
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    return bool(value == _like(value, wanted))


def _has(value: Any, wanted: str) -> bool:
    if wanted == "*":
        return True
    # "Has" is "contains", and may hold wildcards of its own.
    return _equal(value, f"*{wanted}*") if isinstance(value, str) else _equal(value, wanted)


def _ordered(value: Any, operator: str, wanted: str) -> bool:
    other = _like(value, wanted)
    left = value.ToDatetime() if isinstance(value, Timestamp) else value
    right = other.ToDatetime() if isinstance(other, Timestamp) else other
    return bool(
        {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator],
    )


def _like(value: Any, text: str) -> Any:
    """`text` as the type of `value`."""
    try:
        if isinstance(value, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(value, Timestamp):
            stamp = Timestamp()
            stamp.FromDatetime(datetime.fromisoformat(text))
            return stamp
        return type(value)(text)
    except (KeyError, TypeError, ValueError):
        raise ApiError("INVALID_ARGUMENT", f"Invalid value in filter: {text!r}.") from None


def path_of(field: str) -> list[str]:
    """The parts of a field's name; a part in quotes may hold dots."""
    return [_unescape(quoted) if quoted else plain for quoted, plain in _PATH_PART.findall(field)]


def _is_map(message: Message, path: list[str]) -> bool:
    """Whether the path names a whole map: "has" then asks for a key (AIP-160)."""
    field = message.DESCRIPTOR.fields_by_name.get(path[0])
    message_type = field.message_type if field is not None and len(path) == 1 else None
    return message_type is not None and bool(message_type.GetOptions().map_entry)


def unquote(text: str) -> str:
    """The value without quotes, if it has any."""
    return _unescape(text[1:-1]) if len(text) > 1 and text[0] == text[-1] == '"' else text


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
