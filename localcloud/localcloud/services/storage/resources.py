"""Buckets and objects in the form of the JSON API."""

import base64
from datetime import datetime
from typing import Any
from urllib.parse import quote

from localcloud.services.storage.bucket_rows import BucketRow
from localcloud.services.storage.checksums import encode_crc32c, encode_md5
from localcloud.services.storage.locations import location_type
from localcloud.services.storage.object_rows import ObjectRow
from localcloud.services.storage.preconditions import State
from localcloud.services.storage.retention import shown

# Recorded: links do not encode these characters of a path segment (RFC 3986, section 3.3), but encode `+`.
_PLAIN_IN_LINKS = "!$&'()*,:;=@"


def bucket_resource(bucket: BucketRow, base_url: str) -> dict[str, Any]:
    """A bucket without access control lists (`projection=noAcl`)."""
    kind = location_type(bucket.location, bucket.settings)
    # Only buckets in several regions have a recovery point objective.
    placement = {"satisfiesPZI": True} if kind == "region" else {"rpo": "DEFAULT"}
    return {
        "kind": "storage#bucket",
        "id": bucket.name,
        "selfLink": f"{base_url}/storage/v1/b/{bucket.name}",
        "name": bucket.name,
        "projectNumber": str(bucket.project_number),
        "location": bucket.location,
        "locationType": kind,
        "generation": str(_generation_of(bucket)),
        "metageneration": str(bucket.metageneration),
        "etag": bucket_etag(bucket),
        "timeCreated": bucket.time_created,
        "updated": bucket.updated,
        **placement,
        **bucket.settings,
    }


def object_resource(row: ObjectRow, base_url: str) -> dict[str, Any]:
    path = f"b/{row.bucket}/o/{quote(row.name, safe=_PLAIN_IN_LINKS)}"
    computed = {
        "md5Hash": encode_md5(row.md5) if row.md5 is not None else None,
        "componentCount": row.component_count,
        "timeDeleted": row.time_deleted,
    }
    return {
        "kind": "storage#object",
        "id": f"{row.bucket}/{row.name}/{row.generation}",
        "selfLink": f"{base_url}/storage/v1/{path}",
        "mediaLink": f"{base_url}/download/storage/v1/{path}?generation={row.generation}&alt=media",
        "name": row.name,
        "bucket": row.bucket,
        "generation": str(row.generation),
        "metageneration": str(row.metageneration),
        "size": str(row.size),
        "crc32c": encode_crc32c(row.crc32c),
        "etag": object_etag(row),
        "timeCreated": row.time_created,
        "updated": row.updated,
        "timeFinalized": row.time_created,
        "timeStorageClassUpdated": row.time_created,
        **{name: value for name, value in computed.items() if value is not None},
        **shown(row),
    }


def _generation_of(bucket: BucketRow) -> int:
    """The bucket's creation in nanoseconds since 1970: a later bucket with its name has another generation."""
    return round(datetime.fromisoformat(bucket.time_created).timestamp() * 1000) * 1_000_000


def bucket_etag(bucket: BucketRow) -> str:
    return _etag(bucket.metageneration)


def object_etag(row: ObjectRow) -> str:
    return _etag(row.generation, row.metageneration)


def xml_etag(row: ObjectRow) -> str:
    """The MD5 in hex, or, for an object without MD5, a value made of its generation; without quotes."""
    return row.md5.hex() if row.md5 is not None else "-" + object_etag(row)


def bucket_state(bucket: BucketRow) -> State:
    return State(metageneration=bucket.metageneration, etags=frozenset({bucket_etag(bucket)}))


def object_state(row: ObjectRow | None) -> State:
    if row is None:
        return State()
    return State(row.generation, row.metageneration, frozenset({object_etag(row), xml_etag(row)}))


def _etag(*numbers: int) -> str:
    """The numbers as fields 1, 2, ... of a protobuf message, in base64, like Cloud Storage's ETags."""
    message = b"".join(bytes([field << 3]) + _varint(number) for field, number in enumerate(numbers, start=1))
    return base64.b64encode(message).decode()


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
