"""The grants as docs/security.md shows them: `python -m vertex_vllm.bootstrap.grants_page PAGE` writes them there."""

import sys
from collections.abc import Iterator
from pathlib import Path

from vertex_vllm.bootstrap.grant_commands import grant_command
from vertex_vllm.bootstrap.grants import CustomRole, GrantRow, custom_roles, grant_rows, refusals
from vertex_vllm.bootstrap.required_setup import Settings, grants_by_row

BEGIN = "<!-- generated from vertex_vllm/bootstrap/grants.yaml: make grants-page -->"
END = "<!-- end of what is generated -->"
_ACCOUNTS = {"ci": "CI", "agent": "Vertex AI's agent", "github": "GitHub"}
_PLACES = {
    "weights": "weights bucket",
    "runs": "runs bucket",
    "sources": "sources bucket",
    "key": "signing key",
    "ci": "CI account",
}
_RESOURCES = ("project", "secret", "images")
_WHEN = {"secret": "", "github": "", "cloud-build": " (with `--cloud-build`)", "signing-key": " (with `--signing-key`)"}


# A project with everything that bootstrap can be asked for, its numbers as names afterwards.
_NUMBER, _REPOSITORY = "1000000001", "1000000002"
_NAMES = {_NUMBER: "PROJECT_NUMBER", _REPOSITORY: "REPOSITORY_ID"}
_KEY = "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY"
_EXAMPLE = Settings("PROJECT", _NUMBER, "REGION", _REPOSITORY, "1", cloud_build=True, signing_key=_KEY)


def page_with_grants(page: str) -> str:
    """The page with a new table between its two marks. Raises ValueError where the page lacks a mark."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{grants_text()}\n{END}{after}"


def grants_text() -> str:
    return "\n".join((*_grants(), "", *_commands(), "", *_roles(), ""))


def _grants() -> Iterator[str]:
    yield "| who | role | on | why | without it fails |"
    yield "|---|---|---|---|---|"
    for row in grant_rows():
        why = f"{row.why}{_WHEN.get(row.when, '')}"
        yield f"| {_who(row)} | {_role(row)} | {_place(row)} | {why} | `{refusals()[row.which]}` |"


def _commands() -> Iterator[str]:
    yield "Each by hand, where bootstrap is not run:"
    yield ""
    yield "| grant | command |"
    yield "|---|---|"
    for row, grant in grants_by_row(_EXAMPLE):
        command = grant_command(_EXAMPLE.project, grant)
        for number, name in _NAMES.items():
            command = command.replace(number, name)
        yield f"| {_who(row)}: {_role(row)} on {_place(row)} | `{command}` |"


def _who(row: GrantRow) -> str:
    return _ACCOUNTS.get(row.account, row.account)


def _role(row: GrantRow) -> str:
    return f"`{row.role.removeprefix('roles/')}`"


def _place(row: GrantRow) -> str:
    place = _PLACES.get(row.resource) or (row.resource if row.resource in _RESOURCES else f"{row.resource} account")
    return f"{place}, below `{row.below}`" if row.below else place


def _roles() -> Iterator[str]:
    yield "The roles whose names begin with `vertexVllm` are made in the project, with these permissions:"
    yield ""
    yield "| role | permission | asked for by |"
    yield "|---|---|---|"
    for role in custom_roles():
        yield from _permissions(role)


def _permissions(role: CustomRole) -> Iterator[str]:
    """Permissions that the same calls ask for share a row."""
    calls: dict[str, list[str]] = {}
    for permission, asked_by in role.permissions:
        calls.setdefault(asked_by, []).append(f"`{permission}`")
    for asked_by, permissions in calls.items():
        yield f"| `{role.id}` | {', '.join(permissions)} | {asked_by} |"


def main() -> None:
    page = Path(sys.argv[1])
    page.write_text(page_with_grants(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
