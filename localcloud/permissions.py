"""Who may do what: everybody may do everything, but for what was denied beforehand (as IAM deny policies do)."""

from google.protobuf.wrappers_pb2 import BoolValue

from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.store import Kind

_DENIALS = Kind("denial", BoolValue)


def deny(cloud: Cloud, permission: str, resource: str, *, denied: bool = True) -> None:
    """Denies `permission` on `resource` and everything under it; allows it again with `denied=False`."""
    name = _name(cloud, permission, resource)
    if denied:
        cloud.store.put(_DENIALS, name, BoolValue(value=True))
    else:
        cloud.store.delete(_DENIALS, name)


def check(cloud: Cloud, permission: str, resource: str) -> None:
    """Raises ApiError PERMISSION_DENIED in the words of the real services."""
    name = _name(cloud, permission, resource)
    for denied, _ in cloud.store.items(_DENIALS, permission):
        if f"{name}/".startswith(f"{denied}/"):
            raise ApiError(
                "PERMISSION_DENIED",
                f"Permission '{permission}' denied for resource '{resource}' (or it may not exist).",
            )


def _name(cloud: Cloud, permission: str, resource: str) -> str:
    return f"{permission}/{cloud.canonical(resource)}"
