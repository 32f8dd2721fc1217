"""The table of grants, grants.yaml, as values."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ALWAYS, SECRET, GITHUB, CLOUD_BUILD = "", "secret", "github", "cloud-build"


@dataclass(frozen=True)
class CustomRole:
    id: str
    title: str
    permissions: tuple[tuple[str, str], ...]
    """Each with the calls that ask for it."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, _ in self.permissions))


@dataclass(frozen=True)
class GrantRow:
    account: str
    """pipeline, serving, ci, build, plan, agent or github"""
    role: str
    """`roles/…`, or the id of a custom role"""
    resource: str
    """project, weights, runs, secret, images, or an account"""
    why: str
    when: str = ALWAYS
    """Made only where bootstrap is asked for it: secret, github, cloud-build; empty: always."""
    below: str = ""
    """Prefix of the names of a bucket's objects that the role is limited to; empty: all of them."""


@cache
def custom_roles() -> tuple[CustomRole, ...]:
    return tuple(CustomRole(row["id"], row["title"], tuple(row["permissions"].items())) for row in _table()["roles"])


@cache
def grant_rows() -> tuple[GrantRow, ...]:
    return tuple(GrantRow(**row) for row in _table()["grants"])


def _table() -> dict[str, list[dict[str, Any]]]:
    table: dict[str, list[dict[str, Any]]] = yaml.safe_load(
        Path(__file__).with_name("grants.yaml").read_text(encoding="utf-8")
    )
    return table
