"""Locations of buckets. Source: cloud.google.com/storage/docs/locations."""

from typing import Any

from localcloud.services.storage.storage_errors import invalid

_MULTI_REGIONS = frozenset({"ASIA", "EU", "US"})
_DUAL_REGIONS = frozenset({"ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4"})
_REGIONS_OF_AREA = {
    "AFRICA-SOUTH": (1,),
    "ASIA-EAST": (1, 2),
    "ASIA-NORTHEAST": (1, 2, 3),
    "ASIA-SOUTH": (1, 2),
    "ASIA-SOUTHEAST": (1, 2, 3),
    "AUSTRALIA-SOUTHEAST": (1, 2),
    "EUROPE-CENTRAL": (2,),
    "EUROPE-NORTH": (1, 2),
    "EUROPE-SOUTHWEST": (1,),
    "EUROPE-WEST": (1, 2, 3, 4, 6, 8, 9, 10, 12),
    "ME-CENTRAL": (1, 2),
    "ME-WEST": (1,),
    "NORTHAMERICA-NORTHEAST": (1, 2),
    "NORTHAMERICA-SOUTH": (1,),
    "SOUTHAMERICA-EAST": (1,),
    "SOUTHAMERICA-WEST": (1,),
    "US-CENTRAL": (1,),
    "US-EAST": (1, 4, 5),
    "US-SOUTH": (1,),
    "US-WEST": (1, 2, 3, 4),
}
_REGIONS = frozenset(f"{area}{number}" for area, numbers in _REGIONS_OF_AREA.items() for number in numbers)


def checked_location(location: str) -> str:
    """The location in capitals, as Cloud Storage keeps it. Raises StorageError (400) for an unknown location."""
    if location.upper() not in _MULTI_REGIONS | _DUAL_REGIONS | _REGIONS:
        raise invalid(f"The specified location constraint is not valid: {location}", "InvalidLocationConstraint")
    return location.upper()


def location_type(location: str, settings: dict[str, Any]) -> str:
    if location in _DUAL_REGIONS or "customPlacementConfig" in settings:
        return "dual-region"
    return "multi-region" if location in _MULTI_REGIONS else "region"
