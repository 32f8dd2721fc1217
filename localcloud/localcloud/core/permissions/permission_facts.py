"""Writes permission_table.json from two files of facts, its arguments: METHODS.tsv and ROLES.json.

METHODS.tsv has a REST method's id, its permissions with commas between them and how that is known; ROLES.json maps each
predefined role to its permissions (`gcp/roles/*.json`: `name` to `includedPermissions`). Both are drawn from the
collection that permission_words.yaml names. All roles are kept, and of each the permissions that some method here
asks for: a role of another service holds none.

`python -m localcloud.core.permissions.permission_facts METHODS.tsv ROLES.json`
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from localcloud.core.permissions.permission_table import method_rows

WORDS = Path(__file__).with_name("permission_words.yaml")
TABLE = Path(__file__).with_name("permission_table.json")

# The collection writes `iam.googleapis.com-workloadIdentityPools.get` where roles have a slash.
_SERVICE_PREFIX = ("iam.googleapis.com-", "iam.googleapis.com/")


def table(
    methods: Mapping[str, Any], permissions: Mapping[str, tuple[str, ...]], roles: Mapping[str, list[str]]
) -> dict[str, Any]:
    """The content of permission_table.json. Raises KeyError for a REST method that the facts do not have."""
    asked = {row["rpc"]: _asked(row, permissions) for row in methods["methods"]}
    known = {permission for row in asked.values() for permission in row} | {row["asks"] for row in methods["others"]}
    return {
        "source": methods["sources"]["dataset"]["what"],
        "read": str(methods["sources"]["dataset"]["read"]),
        "methods": {rpc: list(row) for rpc, row in sorted(asked.items())},
        "roles": {role: sorted(known & set(held)) for role, held in sorted(roles.items())},
    }


def read_methods(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Permissions by REST method."""
    rows = [line.rstrip("\n").split("\t") for line in lines]
    return {
        row[0]: tuple(permission.replace(*_SERVICE_PREFIX) for permission in row[1].split(",") if permission)
        for row in rows[1:]
    }


def _asked(row: Mapping[str, Any], permissions: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return permissions[row["rest"]] if "rest" in row else tuple(row.get("asks", ()))


def main(methods_file: str, roles_file: str) -> None:
    content = table(
        {**yaml.safe_load(WORDS.read_text()), "methods": method_rows()},
        read_methods(Path(methods_file).read_text().splitlines()),
        json.loads(Path(roles_file).read_text()),
    )
    TABLE.write_text(text(content))


def text(content: Mapping[str, Any]) -> str:
    """The table as JSON with a line for each method and each role."""
    parts = [f"{json.dumps(name)}: {_lines(value)}" for name, value in content.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(value: Any) -> str:
    if not isinstance(value, Mapping):
        return json.dumps(value)
    return "{\n" + ",\n".join(f" {json.dumps(name)}: {json.dumps(row)}" for name, row in value.items()) + "\n}"


if __name__ == "__main__":
    main(*sys.argv[1:])
