"""Checks the permissions of a method, as `permissions.yaml` of its service names them."""

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.permissions import decisions, permission_table


def require(cloud: Cloud, rpc: str, resource: str) -> None:
    """Raises ApiError PERMISSION_DENIED unless the caller may call `rpc`, a row of permissions.yaml, on `resource`."""
    row = row_of(rpc)
    if row.on:
        check(cloud, row, resource)


def row_of(rpc: str) -> permission_table.Asked:
    """The row of a method. Raises ApiError UNIMPLEMENTED for a method without a row."""
    found = permission_table.methods().get(rpc)
    if found is None:
        raise ApiError("UNIMPLEMENTED", f"The local cloud does not know which permissions {rpc} asks for.")
    return found


def check(cloud: Cloud, row: permission_table.Asked, resource: str) -> None:
    """Raises ApiError PERMISSION_DENIED unless the caller has every permission of `row` on `resource`."""
    for permission in row.permissions:
        decisions.check(cloud, permission, resource)
