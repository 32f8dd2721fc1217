"""JSON objects as rows of the store, for APIs whose resources have no protobuf message among the installed clients."""

from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

Fields = dict[str, Any]


def struct_of(fields: Fields) -> Struct:
    """The message that the store keeps."""
    message = Struct()
    message.update(fields)
    return message


def fields_of(message: Struct) -> Fields:
    """The JSON object; whole numbers come back as floats, as JSON's numbers do."""
    fields: Fields = json_format.MessageToDict(message)
    return fields
