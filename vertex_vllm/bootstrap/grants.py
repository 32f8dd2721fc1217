"""The table of grants, grants.yaml, as values."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REFUSALS = Path(__file__).with_name("grant_refusals.yaml")
ALWAYS, SECRET, GITHUB, CLOUD_BUILD, SIGNING_KEY = "", "secret", "github", "cloud-build", "signing-key"


@dataclass(frozen=True)
class CustomRole:
    id: str
    title: str
    permissions: tuple[tuple[str, str], ...]
    """Each with the calls that ask for it."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, _ in self.permissions))


Which = tuple[str, str, str]
"""Account, role and resource of a row."""


@dataclass(frozen=True)
class GrantRow:
    account: str
    """pipeline, serving, ci, build, plan, agent or github"""
    role: str
    """`roles/…`, or the id of a custom role"""
    resource: str
    """project, weights, runs, sources, secret, images, key, or an account"""
    why: str
    when: str = ALWAYS
    """Made only where bootstrap is asked for it: secret, github, cloud-build, signing-key; empty: always."""
    below: str = ""
    """Prefix of the names of a bucket's objects that the role is limited to; empty: all of them."""

    @property
    def which(self) -> Which:
        """The key of the row: no two rows have the same account, role and resource."""
        return self.account, self.role, self.resource


@cache
def custom_roles() -> tuple[CustomRole, ...]:
    return tuple(CustomRole(row["id"], row["title"], tuple(row["permissions"].items())) for row in _table()["roles"])


@cache
def grant_rows() -> tuple[GrantRow, ...]:
    return tuple(GrantRow(**row) for row in _table()["grants"])


@cache
def refusals() -> dict[Which, str]:
    """The permission that fails where one grant is missing, as tests/…/test_grants_needed.py found it."""
    rows = yaml.safe_load(REFUSALS.read_text(encoding="utf-8"))["refusals"]
    return {(row["account"], row["role"], row["resource"]): row["refused"] for row in rows}


def _table() -> dict[str, list[dict[str, Any]]]:
    table: dict[str, list[dict[str, Any]]] = yaml.safe_load(
        Path(__file__).with_name("grants.yaml").read_text(encoding="utf-8")
    )
    return table
