"""The answers of Vertex AI's list methods: filter, order, page and read mask."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.filters import FilterParser, Predicate, path_of, unquote
from localcloud.core.paging import page

M = TypeVar("M", bound=Message)
Fields = Mapping[str, Callable[[Any], str]]
"""Fields for filters besides labels: name in snake_case → function that reads it."""

_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"\'=!:()<>,\\]+', re.DOTALL)
_CAPITAL = re.compile(r"(?<=[a-z])([A-Z])")


class ResourceFilter(FilterParser):
    """The part of the filter language that lists of models and endpoints support.

        filter      = [ restriction { "AND" restriction } ]
        restriction = field ( "=" | "!=" ) value | "labels." key ( "=" value | ":*" ) | "labels:" key

    Source: the field lists in the docstrings of `ListModelsRequest.filter`, `ListModelVersionsRequest.filter` and
    `ListEndpointsRequest.filter`, google-cloud-aiplatform 1.165.1.
    """

    def __init__(self, text: str, fields: Fields) -> None:
        super().__init__(text, fields)
        self._fields = fields

    def conjunction(self) -> Predicate:
        terms = [self.comparison(self.next())] if self.tokens else []
        while self.tokens:
            word = self.next()
            if word != "AND":
                raise self.refusal(f"expected AND before {word!r}; conditions can only be joined by AND")
            terms.append(self.comparison(self.next()))
        return lambda message: all(term(message) for term in terms)

    def comparison(self, field: str) -> Predicate:
        operator, value = self.next(), self.next()
        if _VALUE.fullmatch(value) is None:
            raise self.refusal(f"{value!r} is not a value; put it in quotes")
        if path_of(field)[:1] == ["labels"]:
            return self._label(path_of(field)[1:], operator, unquote(value))
        name = _CAPITAL.sub(lambda capital: f"_{capital[1].lower()}", field)
        if name not in self._fields:
            known = ", ".join(sorted(self._fields))
            raise self.refusal(f"{field!r} is not a field that can be filtered on; use {known} or labels")
        if operator not in ("=", "!="):
            raise self.refusal(f"{field!r} supports = and != only")
        read, wanted = self._fields[name], unquote(value)
        return lambda message: (read(message) == wanted) == (operator == "=")

    def _label(self, key: list[str], operator: str, value: str) -> Predicate:
        label = ".".join(key)
        match bool(label), operator, value:
            case True, ":", "*":
                return lambda message: label in message.labels
            case True, "=", _:
                return lambda message: label in message.labels and message.labels[label] == value
            case False, ":", _ if value != "*":
                return lambda message: value in message.labels
        raise self.refusal("labels are asked for as labels.key=value, labels.key:* or labels:key")


def answer_page(resources: Sequence[M], request: Any, fields: Fields) -> tuple[list[M], str]:
    """The page of `resources` for a request, and the next page's token. Raises ApiError INVALID_ARGUMENT."""
    matches = ResourceFilter(request.filter, fields).whole()
    chosen = [resource for resource in resources if matches(resource)]
    unfiltered = type(request)()
    unfiltered.CopyFrom(request)
    unfiltered.ClearField("filter")
    shown, token = page(chosen, unfiltered)
    return [_masked(resource, request.read_mask) for resource in shown], token


def _masked(resource: M, mask: FieldMask) -> M:
    if not mask.paths or list(mask.paths) == ["*"]:
        return resource
    if not mask.IsValidForDescriptor(resource.DESCRIPTOR):
        raise ApiError("INVALID_ARGUMENT", f"Invalid read_mask: {', '.join(mask.paths)}.")
    part: M = type(resource)()
    mask.MergeMessage(resource, part)
    return part
