"""The part of Vertex AI's list filters that its clients use: restrictions on a resource's fields, joined by AND.

    filter      = [ restriction { "AND" restriction } ]
    restriction = field ( "=" | "!=" ) value | "labels." key ( "=" value | ":*" ) | "labels:" key

Source: the field lists in the docstrings of `ListModelsRequest.filter`, `ListModelVersionsRequest.filter` and
`ListEndpointsRequest.filter`, google-cloud-aiplatform 1.165.1.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from localcloud.core.api_errors import ApiError

_TOKENS = re.compile(
    r"""(?P<space>\s+)
      | (?P<operator>!=|=|:)
      | (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<bare>[^\s"'=!:()<>,\\]+)""",
    re.VERBOSE | re.DOTALL,
)
_CAMEL = re.compile(r"(?<=[a-z])([A-Z])")


@dataclass(frozen=True)
class Restriction:
    """One condition. `label` is set where the field is `labels`; operator `:` asks whether that label is there."""

    field: str
    label: str
    operator: str
    value: str

    def holds(self, fields: Mapping[str, str], labels: Mapping[str, str]) -> bool:
        if self.operator == ":":
            return self.label in labels
        actual = labels.get(self.label) if self.label else fields.get(self.field, "")
        return (actual == self.value) == (self.operator == "=")


@dataclass(frozen=True)
class Filter:
    restrictions: tuple[Restriction, ...]

    def matches(self, fields: Mapping[str, str], labels: Mapping[str, str]) -> bool:
        """`fields`: snake_case name → value, of those that `parse_filter` was told of."""
        return all(restriction.holds(fields, labels) for restriction in self.restrictions)


def parse_filter(text: str, fields: Collection[str]) -> Filter:
    """`text` as conditions on `fields` (snake_case; camelCase is understood too) and on labels.

    Raises ApiError INVALID_ARGUMENT for everything else that the text may hold, OR, NOT and brackets among it.
    """
    tokens = _tokenise(text)
    restrictions: list[Restriction] = []
    while tokens:
        if restrictions:
            _take_and(tokens, text)
        restrictions.append(_take_restriction(tokens, text, fields))
    return Filter(tuple(restrictions))


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def _tokenise(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None:
            raise _refusal(text, f"`{text[position]}` is not understood at position {position}")
        if match.lastgroup != "space":
            tokens.append(_Token(str(match.lastgroup), match.group()))
        position = match.end()
    return tokens


def _take_and(tokens: list[_Token], text: str) -> None:
    word = tokens.pop(0)
    if word != _Token("bare", "AND"):
        raise _refusal(text, f"expected AND before `{word.text}`; conditions can only be joined by AND")
    if not tokens:
        raise _refusal(text, "nothing follows AND")


def _take_restriction(tokens: list[_Token], text: str, fields: Collection[str]) -> Restriction:
    name = _take(tokens, text, "bare", "a field name").text
    if name.split(".", 1)[0] == "labels":
        return _take_label(name, tokens, text)
    field = _CAMEL.sub(lambda capital: f"_{capital.group(1).lower()}", name)
    if field not in fields:
        raise _refusal(
            text, f"`{name}` is not a field that can be filtered on; use {', '.join(sorted(fields))} or labels"
        )
    operator = _take(tokens, text, "operator", "= or !=").text
    if operator == ":":
        raise _refusal(text, f"`{name}` supports = and != only")
    return Restriction(field, "", operator, _take_value(tokens, text))


def _take_label(name: str, tokens: list[_Token], text: str) -> Restriction:
    label = name.removeprefix("labels").removeprefix(".")
    if name == "labels.":
        label = _take(tokens, text, "quoted", "a label").text[1:-1]
    operator = _take(tokens, text, "operator", "= or :").text
    value = _take_value(tokens, text)
    if operator == ":" and not label and value != "*":
        return Restriction("labels", value, ":", "")
    if not label or operator == "!=" or (operator == ":" and value != "*"):
        raise _refusal(text, "labels are asked for as labels.key=value, labels.key:* or labels:key")
    return Restriction("labels", label, operator, "" if operator == ":" else value)


def _take_value(tokens: list[_Token], text: str) -> str:
    if tokens and tokens[0].kind == "quoted":
        return re.sub(r"\\(.)", r"\1", tokens.pop(0).text[1:-1], flags=re.DOTALL)
    return _take(tokens, text, "bare", "a value").text


def _take(tokens: list[_Token], text: str, kind: str, expected: str) -> _Token:
    if not tokens:
        raise _refusal(text, f"expected {expected} at the end")
    if tokens[0].kind != kind:
        raise _refusal(text, f"expected {expected} before `{tokens[0].text}`")
    return tokens.pop(0)


def _refusal(text: str, reason: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", f"Invalid filter `{text}`: {reason}.")
