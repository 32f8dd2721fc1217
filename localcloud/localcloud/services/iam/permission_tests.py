"""`testIamPermissions`: which of some permissions the caller has on a resource."""

from collections.abc import Iterable
from typing import Any

from localcloud.core.callers import caller
from localcloud.core.cloud import Cloud
from localcloud.core.permissions import decisions


def test_permissions(cloud: Cloud, resource: str, asked: Iterable[str]) -> dict[str, Any]:
    """The answer as REST has it: without the field where the caller has none of them."""
    granted = [permission for permission in asked if decisions.has(cloud, caller(), permission, resource)]
    return {"permissions": granted} if granted else {}
