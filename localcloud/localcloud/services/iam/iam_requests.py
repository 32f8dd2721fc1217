"""The method of the IAM API and the resource of a request line, as permissions.yaml names them."""

import re
from dataclasses import dataclass

# Collection of the URL → its name in permissions.yaml.
_NAMES = {
    "serviceAccounts": "serviceAccounts",
    "keys": "keys",
    "roles": "roles",
    "workloadIdentityPools": "workloadIdentityPools",
    "providers": "providers",
}
_OF_COLLECTIONS = {"POST": "create", "GET": "list"}
_OF_RESOURCES = {"GET": "get", "DELETE": "delete", "PATCH": "patch", "PUT": "update"}
_PATH = re.compile(r"/v1/(?P<name>projects/[^:]+?)(?P<action>:[a-zA-Z]+)?")


@dataclass(frozen=True)
class IamCall:
    rpc: str
    resource: str
    """The resource; for creating and listing, its parent."""


def iam_call(verb: str, path: str) -> IamCall | None:
    """The call; None for a path outside of projects: everybody may read predefined roles."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    parts = match["name"].split("/")
    action = (match["action"] or "").removeprefix(":")
    if parts[-1] in _NAMES:
        return IamCall(f"iam/{_NAMES[parts[-1]]}.{action or _OF_COLLECTIONS.get(verb, verb)}", "/".join(parts[:-1]))
    method = action or _OF_RESOURCES.get(verb, verb)
    return IamCall(f"iam/{_NAMES.get(parts[-2], parts[-2])}.{method}", match["name"])
