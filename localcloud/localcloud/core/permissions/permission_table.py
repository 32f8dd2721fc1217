"""The permissions of each method and of each predefined role, read from files once.

Every service has a `permissions.yaml` for its methods.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_WORDS = Path(__file__).with_name("permission_words.yaml")
_SERVICES = Path(__file__).resolve().parents[2] / "services"
_TABLE = Path(__file__).with_name("permission_table.json")


@dataclass(frozen=True)
class Asked:
    """The permissions that one method requires."""

    permissions: tuple[str, ...]
    on: str
    """The field of the request that names the resource, dots between nested ones; "": no permission is required."""


@dataclass(frozen=True)
class Words:
    """A service's wording of a missing permission."""

    message: str
    """With {permission}, {service} and {resource}."""
    service: str
    names_resource: bool
    """Whether its ErrorInfo names the resource."""


def words(permission: str) -> Words:
    prefix = permission.partition(".")[0]
    row = next(row for row in _rows()["words"] if row["prefix"] in (prefix, ""))
    return Words(row["message"], row["service"].format(prefix=prefix), "{resource}" in row["message"])


@cache
def methods() -> Mapping[str, Asked]:
    """By `Service/Method`."""
    permissions: dict[str, list[str]] = _table()["methods"]
    return {row["rpc"]: Asked(tuple(permissions[row["rpc"]]), row["field"]) for row in method_rows()}


@cache
def roles() -> Mapping[str, frozenset[str]]:
    """Predefined role, `roles/owner`, → its permissions, as far as a method here may require them.

    All roles that Google had on the day of the table; a role of services that the local cloud does not play holds none.
    """
    return {role: frozenset(held) for role, held in _table()["roles"].items()}


@cache
def known_permissions() -> frozenset[str]:
    """Every permission that the local cloud may ask for."""
    return frozenset().union(*roles().values())


@cache
def method_rows() -> list[Any]:
    """The rows of all services' `permissions.yaml`."""
    files = sorted(_SERVICES.glob("*/permissions.yaml"))
    return [row for file in files for row in yaml.safe_load(file.read_text())["methods"]]


@cache
def _rows() -> Any:
    return yaml.safe_load(_WORDS.read_text())


@cache
def _table() -> Any:
    return json.loads(_TABLE.read_text())
