"""Read masks with paths inside a `Struct`: the SDK sends them, and `FieldMask.MergeMessage` does not handle them."""

import re
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct

from localcloud.core.api_errors import ApiError


def masked(message: Any, mask: FieldMask) -> Any:
    """A copy of `message` with only the fields of `mask`. Raises ApiError INVALID_ARGUMENT for an unknown field."""
    result = type(message)()
    for path in mask.paths:
        _copy(message, result, path.split("."), path)
    return result


def _copy(source: Any, target: Any, names: list[str], path: str) -> None:
    name, rest = names[0], names[1:]
    if isinstance(source, Struct):
        key = re.sub("_([a-z])", lambda match: match.group(1).upper(), name)
        if key in source.fields:
            target.fields[key].CopyFrom(source.fields[key])
        return
    field = source.DESCRIPTOR.fields_by_name.get(name)
    if field is None or (rest and (field.message_type is None or field.is_repeated)):
        raise ApiError("INVALID_ARGUMENT", f"read_mask: there is no field {path}.")
    if rest:
        if source.HasField(name):
            _copy(getattr(source, name), getattr(target, name), rest, path)
        return
    if field.is_repeated:
        getattr(target, name).MergeFrom(getattr(source, name))
    elif field.message_type is None:
        setattr(target, name, getattr(source, name))
    elif source.HasField(name):
        getattr(target, name).CopyFrom(getattr(source, name))
