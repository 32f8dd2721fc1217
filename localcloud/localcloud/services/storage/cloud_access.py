"""Permissions in Cloud Storage by the cloud's policies: the bucket's, its project's, and access control lists."""

from collections.abc import Iterable, Iterator

from google.protobuf.wrappers_pb2 import StringValue

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import ANONYMOUS, THE_CLOUD, caller, email_of
from localcloud.core.cloud import Cloud
from localcloud.core.permissions import decisions
from localcloud.core.permissions.policy_bindings import Binding, of_json
from localcloud.core.permissions.policy_conditions import Attributes
from localcloud.core.store import Kind
from localcloud.services.iam.iam_policies import check_binding
from localcloud.services.storage.storage_access import Subject
from localcloud.services.storage.storage_errors import StorageError, invalid, not_implemented

_LENT = Kind("folder lent to a container", StringValue)
"""By member: the `gs://` URI that the member may read."""

_PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers"})
_READING = ("storage.objects.get", "storage.objects.list")
_SERVICE = "storage.googleapis.com"


class CloudAccess:
    """Decides permissions by the policies of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def authenticate(self, authorization: str) -> str:
        if not authorization:
            return ANONYMOUS
        try:
            return self._cloud.check_token(authorization)
        except ApiError:
            raise StorageError(401, "authError", "Invalid Credentials", "AuthenticationRequired") from None

    def account(self) -> str:
        return email_of(caller())

    def allows(self, permission: str, subject: Subject) -> bool:
        member = caller()
        if member == THE_CLOUD:  # may be inside a transaction of the cloud's store: read nothing from it
            return True
        project = str(subject.bucket.project_number) if subject.bucket else subject.project
        attributes = self._attributes(subject)
        if subject.bucket is not None and decisions.is_denied(self._cloud, permission, attributes.name):
            return False
        if self._is_lent(member, permission, subject):
            return True
        own = _bindings(subject)
        return decisions.has(self._cloud, member, permission, f"projects/{project}", own, attributes)

    def check_binding(self, role: str, members: Iterable[str], condition: str) -> None:
        try:
            check_binding(self._cloud, role, members, condition)
        except ApiError as error:
            raise (
                not_implemented(error.message) if error.code == "UNIMPLEMENTED" else invalid(error.message)
            ) from None

    def _attributes(self, subject: Subject) -> Attributes:
        if subject.bucket is None:
            return Attributes(time=self._cloud.clock())
        name = f"projects/_/buckets/{subject.bucket.name}"
        if subject.name:
            return Attributes(f"{name}/objects/{subject.name}", f"{_SERVICE}/Object", _SERVICE, self._cloud.clock())
        return Attributes(name, f"{_SERVICE}/Bucket", _SERVICE, self._cloud.clock())

    def _is_lent(self, member: str, permission: str, subject: Subject) -> bool:
        if subject.bucket is None or permission not in _READING or member == ANONYMOUS:
            return False
        lent = self._cloud.store.get(_LENT, member)
        if lent is None:
            return False
        bucket, _, folder = lent.value.removeprefix("gs://").partition("/")
        inside = (subject.name or subject.listed).startswith(folder.rstrip("/"))
        return bool(bucket == subject.bucket.name and inside)


def lend(cloud: Cloud, member: str, uri: str) -> None:
    """Lets `member` read the objects under the `gs://` URI `uri`, independent of the bucket's policy."""
    cloud.store.put(_LENT, member, StringValue(value=uri))


def take_back(cloud: Cloud, member: str) -> None:
    cloud.store.delete(_LENT, member)


def _bindings(subject: Subject) -> Iterator[Binding]:
    if subject.bucket is None:
        return
    access = subject.bucket.settings.get("iamConfiguration", {})
    prevented = access.get("publicAccessPrevention") == "enforced"
    for binding in of_json(subject.bucket.policy):
        members = binding.members - _PUBLIC if prevented else binding.members
        yield Binding(binding.role, members, binding.condition)
    if not subject.bucket.uniform_access:
        # The list `projectPrivate` of new objects ("Predefined ACLs").
        project = subject.bucket.project
        owners = frozenset({f"projectOwner:{project}", f"projectEditor:{project}"})
        yield Binding("roles/storage.legacyObjectOwner", owners)
        yield Binding("roles/storage.legacyObjectReader", frozenset({f"projectViewer:{project}"}))
