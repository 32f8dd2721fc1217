"""IAM policies of Cloud KMS's key rings and keys, by the service that is mixed into the API."""

import re
from typing import Any

from google.iam.v1.iam_policy_pb2 import TestIamPermissionsResponse
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import caller
from localcloud.core.cloud import Cloud
from localcloud.core.permissions.decisions import check, has
from localcloud.core.registration import Service
from localcloud.services.iam.iam_policies import USUAL_MASK, get_policy, set_policy
from localcloud.services.kms.keys import KEY_RINGS, KEYS

_RESOURCE = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+(?P<key>/cryptoKeys/[^/]+)?")

service = Service("google.iam.v1.IAMPolicy")


@service.method("GetIamPolicy")
def get_iam_policy(request: Any, cloud: Cloud) -> Message:
    policy: Message = get_policy(cloud, _resource(request, cloud, "getIamPolicy"))
    return policy


@service.method("SetIamPolicy")
def set_iam_policy(request: Any, cloud: Cloud) -> Message:
    mask = tuple(request.update_mask.paths) or USUAL_MASK
    policy: Message = set_policy(cloud, _resource(request, cloud, "setIamPolicy"), request.policy, mask)
    return policy


@service.method("TestIamPermissions")
def test_iam_permissions(request: Any, cloud: Cloud) -> Message:
    resource = _resource(request, cloud, "")
    held = [permission for permission in request.permissions if has(cloud, caller(), permission, resource)]
    return TestIamPermissionsResponse(permissions=held)


def _resource(request: Any, cloud: Cloud, verb: str) -> str:
    """The stored name of a ring or key. Checks the permission here, because the permission table has no row for it."""
    found = _RESOURCE.fullmatch(request.resource)
    if found is None:
        raise ApiError("UNIMPLEMENTED", f"The local cloud keeps no IAM policy of {request.resource} by this method.")
    kind, collection = (KEYS, "cryptoKeys") if found["key"] else (KEY_RINGS, "keyRings")
    if verb:
        check(cloud, f"cloudkms.{collection}.{verb}", request.resource)
    stored = cloud.canonical(request.resource)
    if cloud.store.get(kind, stored) is None:
        raise ApiError("NOT_FOUND", f"{kind.message_type.DESCRIPTOR.name} {request.resource} not found.")
    return stored
