"""The fields of buckets and objects that a caller may set, and changes of them by a patch."""

from typing import Any

from localcloud.services.storage.storage_errors import invalid, not_implemented

BUCKET_FIELDS = frozenset(
    [
        "autoclass",
        "billing",
        "cors",
        "customPlacementConfig",
        "defaultEventBasedHold",
        "encryption",
        "hierarchicalNamespace",
        "iamConfiguration",
        "ipFilter",
        "labels",
        "lifecycle",
        "logging",
        "retentionPolicy",
        "rpo",
        "softDeletePolicy",
        "storageClass",
        "versioning",
        "website",
    ]
)
OBJECT_FIELDS = frozenset(
    [
        "cacheControl",
        "contentDisposition",
        "contentEncoding",
        "contentLanguage",
        "contentType",
        "contexts",
        "customTime",
        "eventBasedHold",
        "metadata",
        "retention",
        "storageClass",
        "temporaryHold",
    ]
)
_STORAGE_CLASSES = frozenset(
    {"STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE", "MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY"}
)


def bucket_settings(resource: dict[str, Any]) -> dict[str, Any]:
    """The settings in a bucket's resource. Raises StorageError (400) for a value that the API refuses."""
    return _checked({name: value for name, value in resource.items() if name in BUCKET_FIELDS and value is not None})


def object_settings(resource: dict[str, Any]) -> dict[str, Any]:
    """The settings in an object's resource. Raises StorageError: 400 for an invalid value, 501 for a Cloud KMS key."""
    if resource.get("kmsKeyName"):
        raise not_implemented("encryption by keys of Cloud KMS (kmsKeyName)")
    return _checked({name: value for name, value in resource.items() if name in OBJECT_FIELDS and value is not None})


def merge(settings: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7396): None removes, objects merge, anything else replaces."""
    merged = dict(settings)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = merge(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return {name: value for name, value in merged.items() if value != {}}


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    storage_class = settings.get("storageClass")
    if storage_class is not None and storage_class not in _STORAGE_CLASSES:
        raise invalid(f"Invalid argument: storage class {storage_class!r}", "InvalidStorageClass")
    for name in ("labels", "metadata"):
        entries = settings.get(name, {})
        if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
            raise invalid(f"Invalid argument: {name} must map names to texts.")
    return settings
