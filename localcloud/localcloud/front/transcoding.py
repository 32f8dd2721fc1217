"""HTTP and JSON to protobuf requests, by the rules of `google.api.http`, as strictly as the real front ends."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.front.contract import HttpRule, Method

# Parameters of every Google API, which are not fields of the request (Google Cloud, "System parameters").
_SYSTEM_PARAMETERS = frozenset(
    (
        *("access_token", "alt", "callback", "fields", "key", "oauth_token", "prettyPrint", "quotaUser", "userProject"),
        *("$alt", "$apiVersion", "$callback", "$fields", "$key", "$prettyPrint", "$userProject", "$.xgafv"),
        *("upload_protocol", "uploadType"),
    )
)


@dataclass(frozen=True)
class Match:
    """A method with the values that a request line gives its fields."""

    method: Method
    rule: HttpRule
    path_fields: Mapping[str, str]

    @property
    def version(self) -> str:
        """API version in the URL; empty for `/ui/…`, where generated v1 clients poll operations."""
        first = self.rule.uri.split("/")[1]
        return "" if first == "ui" else first


class RuleTable:
    """Finds the method of a request line."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._rules: defaultdict[tuple[str, str], list[tuple[re.Pattern[str], list[str], HttpRule, Method]]]
        self._rules = defaultdict(list)
        for method in methods:
            for rule in method.rules:
                template, action = _split_action(rule.uri)
                pattern, fields = _compile_template(template)
                self._rules[rule.verb, action].append((pattern, fields, rule, method))

    def find(self, verb: str, path: str) -> Match | None:
        """`path`: without a query, percent-decoded."""
        # A resource's id may contain a colon, so text after it that is not an action is part of the name.
        for candidate, action in (_split_action(path), (path, "")):
            for pattern, fields, rule, method in self._rules[verb, action]:
                found = pattern.fullmatch(candidate)
                if found:
                    return Match(method, rule, dict(zip(fields, found.groups(), strict=True)))
        return None


def read_request(match: Match, body: bytes, query: Sequence[tuple[str, str]]) -> Message:
    """The request message. Raises ApiError INVALID_ARGUMENT for anything that does not fit its type."""
    request = match.method.request_type()
    if match.rule.body:
        _merge_body(request, match.rule.body, body)
    _merge_query(request, query)
    for field, value in match.path_fields.items():
        *parents, last = field.split(".")
        target: Any = request
        for parent in parents:
            target = getattr(target, parent)
        setattr(target, last, value)
    return request


def to_json(message: Message, *, integer_enums: bool = False) -> str:
    """Proto JSON: lowerCamelCase names, no fields that are unset."""
    text: str = json_format.MessageToJson(
        message,
        indent=None,
        use_integers_for_enums=integer_enums,
        ensure_ascii=False,
        preserving_proto_field_name=False,
    )
    return text


def _merge_body(request: Message, field: str, body: bytes) -> None:
    target: Message = request if field == "*" else getattr(request, field)
    target.SetInParent()
    if not body.strip():
        return
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None
    if not isinstance(content, dict):
        raise ApiError("INVALID_ARGUMENT", "Invalid JSON payload received. The body must be a JSON object.")
    _parse(content, target)


def _merge_query(request: Message, query: Sequence[tuple[str, str]]) -> None:
    content: dict[str, Any] = {}
    for parameter, value in query:
        if parameter not in _SYSTEM_PARAMETERS:
            _place(content, parameter.split("."), value, request.DESCRIPTOR, parameter)
    if content:
        # Parsed into a message of their own: query parameters add to the fields of the body.
        parsed = type(request)()
        _parse(content, parsed)
        request.MergeFrom(parsed)


def _place(content: dict[str, Any], path: list[str], text: str, descriptor: Descriptor, parameter: str) -> None:
    field = descriptor.fields_by_name.get(path[0]) or descriptor.fields_by_camelcase_name.get(path[0])
    nested = field is not None and field.message_type is not None and len(path) > 1
    if field is None or (len(path) > 1 and not nested):
        raise ApiError(
            "INVALID_ARGUMENT",
            f'Invalid JSON payload received. Unknown name "{parameter}": Cannot bind query parameter. '
            "Field could not be found in request message.",
        )
    if nested:
        _place(content.setdefault(field.name, {}), path[1:], text, field.message_type, parameter)
    elif field.is_repeated:
        content.setdefault(field.name, []).append(_query_value(field, text))
    else:
        content[field.name] = _query_value(field, text)


def _query_value(field: FieldDescriptor, text: str) -> Any:
    """The value in proto JSON, where numbers and enums may be strings."""
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"true": True, "false": False}.get(text.lower(), text)
    if field.message_type is not None and field.message_type.full_name == FieldMask.DESCRIPTOR.full_name:
        # Proto JSON wants camelCase; the services take snake_case as well.
        return re.sub(r"_([a-z0-9])", lambda letter: letter.group(1).upper(), text)
    return text


def _parse(content: dict[str, Any], target: Message) -> None:
    try:
        json_format.ParseDict(content, target)
    except (json_format.ParseError, ValueError, TypeError, AttributeError) as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None


def _split_action(path: str) -> tuple[str, str]:
    """`/v1/{name=models/*}:predict` → (`/v1/{name=models/*}`, `predict`)."""
    start = path.rfind("/") + 1
    name, colon, action = path[start:].rpartition(":")
    return (path[:start] + name, action) if colon else (path, "")


def _compile_template(template: str) -> tuple[re.Pattern[str], list[str]]:
    """The pattern of a URI template, and the fields that its groups fill."""
    fields: list[str] = []
    pattern = ""
    position = 0
    for variable in re.finditer(r"\{([^}=]+)(?:=([^}]+))?\}", template):
        fields.append(variable.group(1))
        pattern += re.escape(template[position : variable.start()]) + f"({_wildcards(variable.group(2) or '*')})"
        position = variable.end()
    return re.compile(pattern + re.escape(template[position:])), fields


def _wildcards(template: str) -> str:
    return re.escape(template).replace(r"\*\*", ".+").replace(r"\*", "[^/]+")
