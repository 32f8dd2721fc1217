"""The answer of Vertex AI's list methods: filter, order, page, and of each resource the fields that were asked for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.paging import page
from localcloud.services.vertex.vertex_filters import parse_filter

M = TypeVar("M", bound=Message)


def answer_page(
    resources: Sequence[M], request: Any, fields: Mapping[str, Callable[[Any], str]]
) -> tuple[list[M], str]:
    """What a list request asks of `resources`, and the token of the next page.

    `fields`: what can be filtered on besides labels, with the function that reads it. Raises ApiError INVALID_ARGUMENT.
    """
    wanted = parse_filter(request.filter, fields.keys())
    chosen = [
        resource
        for resource in resources
        if wanted.matches({name: read(resource) for name, read in fields.items()}, resource.labels)
    ]
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
