"""Rules for names of buckets and objects.

Sources: cloud.google.com/storage/docs/buckets#naming and cloud.google.com/storage/docs/objects#naming.
"""

import re

from localcloud.services.storage.storage_errors import invalid

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+$")
_LONGEST_COMPONENT = 63
_LONGEST_OBJECT_NAME = 1024


def checked_bucket_name(name: str) -> str:
    """Returns a valid bucket name. Raises StorageError (400) for a name that Cloud Storage refuses."""
    components = name.split(".")
    valid = (
        _BUCKET_NAME.match(name)
        and not _ADDRESS.match(name)
        and not name.startswith("goog")
        and "google" not in name
        and all(0 < len(component) <= _LONGEST_COMPONENT for component in components)
    )
    if not valid:
        raise invalid(f"Invalid bucket name: '{name}'", "InvalidBucketName")
    return name


def checked_object_name(name: str) -> str:
    """Returns a valid object name, which is never used in a file path. Raises StorageError (400)."""
    length = len(name.encode())
    if not 1 <= length <= _LONGEST_OBJECT_NAME:
        raise invalid(
            f"An object's name has 1 to {_LONGEST_OBJECT_NAME} bytes in UTF-8, this one {length}.", "KeyTooLong"
        )
    if name in (".", "..") or "\r" in name or "\n" in name or name.startswith(".well-known/acme-challenge/"):
        raise invalid(f"Disallowed unicode characters present in object name '{name}'", "InvalidObjectName")
    return name
