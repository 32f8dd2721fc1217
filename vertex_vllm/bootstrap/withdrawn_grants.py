"""Grants of earlier versions of bootstrap that the present one does not want: found, and revoked by the command."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import yaml

from vertex_vllm.bootstrap import api_requests, policies
from vertex_vllm.bootstrap.grants import GrantRow
from vertex_vllm.bootstrap.required_setup import CI, Settings, grant_of
from vertex_vllm.bootstrap.session import Session, look
from vertex_vllm.bootstrap.setup_steps import Grant

# Until 2026-11-30 the provider identified repositories by name. No token has these members of its pool any more.
_BY_NAME = "attribute.repository/"
_FEDERATED = "roles/iam.workloadIdentityUser"


def withdrawn(settings: Settings) -> tuple[Grant, ...]:
    """The grants of withdrawn_grants.yaml, whether or not they exist."""
    return tuple(grant_of(settings, row) for row in _rows())


def existing(session: Session, settings: Settings) -> tuple[Grant, ...]:
    """Withdrawn grants that exist, and grants to repositories on GitHub by name. Raises ServiceError."""
    grants = withdrawn(settings)
    read = {grant.on.resource: look(session, grant.on.read) or {} for grant in _one_a_place(grants)}
    found = [
        grant for grant in grants if policies.has(read[grant.on.resource], grant.role, grant.member, grant.condition)
    ]
    return (*found, *_by_name(session, settings))


def _one_a_place(grants: tuple[Grant, ...]) -> Iterable[Grant]:
    return {grant.on.resource: grant for grant in grants}.values()


def _by_name(session: Session, settings: Settings) -> Iterator[Grant]:
    place = api_requests.account_policy(settings.project, settings.account(CI))
    ours = f"principalSet://iam.googleapis.com/{settings.identity_pool}/{_BY_NAME}"
    for binding in (look(session, place.read) or {}).get("bindings", ()):
        if binding["role"] == _FEDERATED and not binding.get("condition"):
            yield from (Grant(member, _FEDERATED, place) for member in binding["members"] if member.startswith(ours))


@cache
def _rows() -> tuple[GrantRow, ...]:
    table = yaml.safe_load(Path(__file__).with_name("withdrawn_grants.yaml").read_text(encoding="utf-8"))
    return tuple(
        GrantRow(
            row["account"],
            row["role"],
            row["resource"],
            f"until {row['until']}: {row['why']}",
            below=row.get("below", ""),
        )
        for row in table["withdrawn"]
    )
