"""Bucket settings that Cloud Storage refuses, or that the local one does not implement."""

import re
from collections.abc import Iterable
from typing import Any

from localcloud.services.storage.storage_errors import StorageError, invalid, not_implemented

Settings = dict[str, Any]

# cloud.google.com/storage/docs/tags-and-labels, "Bucket labels", read in November 2026: at most 64 of them; keys and
# values at most 63 characters, of lower-case and international letters, digits, - and _; a key begins with a letter.
_MOST_LABELS = 64
_LABEL = re.compile(r"[\w-]{0,63}")
_LONGEST_LABEL_BYTES = 128
_PREVENTIONS = ("inherited", "enforced")
_RPOS = ("DEFAULT", "ASYNC_TURBO")
_ENFORCEMENTS = (
    "googleManagedEncryptionEnforcementConfig",
    "customerManagedEncryptionEnforcementConfig",
    "customerSuppliedEncryptionEnforcementConfig",
)
_RESTRICTIONS = ("NotRestricted", "FullyRestricted")
_EVERYBODY = frozenset(("allUsers", "allAuthenticatedUsers"))
# Settings without effect here: the local cloud does not encrypt, bill readers or filter addresses.
_NOT_CARRIED_OUT = {
    "billing": ("requesterPays", "requester pays"),
    "ipFilter": ("mode", "filters of addresses"),
}


def check_bucket(settings: Settings, location_kind: str) -> None:
    """Raises StorageError: 400 for a wrong value, 501 for a valid one that the local cloud does not implement.

    `location_kind`: `region`, `dual-region` or `multi-region`.
    """
    _check_labels(settings.get("labels") or {})
    prevention = (settings.get("iamConfiguration") or {}).get("publicAccessPrevention", "inherited")
    if prevention not in _PREVENTIONS:
        raise invalid(f"Invalid argument: publicAccessPrevention {prevention!r} is neither inherited nor enforced.")
    _check_rpo(settings.get("rpo"), location_kind)
    _check_encryption(settings.get("encryption") or {})
    for name, (field, what) in _NOT_CARRIED_OUT.items():
        value = (settings.get(name) or {}).get(field)
        if value not in (None, False, "Disabled"):
            raise not_implemented(f"{what} ({name}.{field})")


def check_public(members: Iterable[str], settings: Settings) -> None:
    """Raises StorageError (412) for `allUsers` or `allAuthenticatedUsers` if the bucket prevents public access."""
    prevention = (settings.get("iamConfiguration") or {}).get("publicAccessPrevention")
    if prevention == "enforced" and not _EVERYBODY.isdisjoint(members):
        message = (
            "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is "
            "enforced."
        )
        raise StorageError(412, "conditionNotMet", message, "PreconditionFailed")


def _check_labels(labels: dict[str, Any]) -> None:
    if len(labels) > _MOST_LABELS:
        raise invalid(f"Invalid argument: labels: {len(labels)} of them; a bucket has at most {_MOST_LABELS}.")
    for key, value in labels.items():
        if not key[:1].isalpha() or not (_is_label(key) and _is_label(str(value))):
            raise invalid(
                f"Invalid argument: labels: {key!r}: {value!r} is not allowed; use at most 63 lower-case letters, "
                "digits, - and _, and a letter first in the key."
            )


def _is_label(text: str) -> bool:
    is_short = len(text.encode()) <= _LONGEST_LABEL_BYTES
    return bool(_LABEL.fullmatch(text)) and text == text.lower() and is_short


def _check_rpo(rpo: str | None, location_kind: str) -> None:
    if rpo is None:
        return
    if rpo not in _RPOS:
        raise invalid(f"Invalid argument: rpo {rpo!r} is neither DEFAULT nor ASYNC_TURBO.")
    if rpo == "ASYNC_TURBO" and location_kind != "dual-region":
        raise invalid(f"Invalid argument: rpo ASYNC_TURBO needs a bucket in a dual-region; this is a {location_kind}.")


def _check_encryption(encryption: Settings) -> None:
    if encryption.get("defaultKmsKeyName"):
        raise not_implemented("encryption by keys of Cloud KMS (encryption.defaultKmsKeyName)")
    for name in _ENFORCEMENTS:
        mode = (encryption.get(name) or {}).get("restrictionMode", "NotRestricted")
        if mode not in _RESTRICTIONS:
            raise invalid(
                f"Invalid argument: encryption.{name}.restrictionMode {mode!r} is not one of {_RESTRICTIONS}."
            )
        # Keys of Cloud KMS and of callers are not accepted here, so forbidding them changes nothing.
        if mode == "FullyRestricted" and name == _ENFORCEMENTS[0]:
            raise not_implemented(f"buckets without encryption by Google's keys (encryption.{name})")
