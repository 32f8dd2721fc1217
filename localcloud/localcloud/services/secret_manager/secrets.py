"""Secret Manager: secrets and their versions. Payloads are only in a store of their own."""

import re
from typing import Any

import google_crc32c
from google.cloud.secretmanager_v1.types import (
    AccessSecretVersionResponse,
    ListSecretsResponse,
    ListSecretVersionsResponse,
    Secret,
    SecretVersion,
)
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BytesValue

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.registration import Service
from localcloud.core.store import Kind
from localcloud.services.iam.iam_policies import forget_policies, get_policy, set_policy

SECRETS = Kind("secret", Secret.pb())
VERSIONS = Kind("secret version", SecretVersion.pb())
_PAYLOADS = Kind("secret payload", BytesValue)

# Secret Manager, "Quotas and limits".
_LARGEST_PAYLOAD = 64 * 1024
_SECRET_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_STATE = SecretVersion.State
_MUTABLE_FIELDS = frozenset({"labels", "annotations", "version_aliases", "topics", "rotation", "expire_time", "ttl"})

service = Service("google.cloud.secretmanager.v1.SecretManagerService")


@service.method("CreateSecret")
def create_secret(request: Any, cloud: Cloud) -> Message:
    if not _SECRET_ID.fullmatch(request.secret_id):
        raise ApiError(
            "INVALID_ARGUMENT",
            f"The provided Secret ID [{request.secret_id}] does not match the expected format [[a-zA-Z_0-9]+].",
        )
    if not request.secret.HasField("replication"):
        raise ApiError("INVALID_ARGUMENT", "Secret.replication is required.")
    secret = Secret.pb()()
    secret.CopyFrom(request.secret)
    secret.name = f"{cloud.canonical(request.parent)}/secrets/{request.secret_id}"
    secret.create_time.CopyFrom(cloud.timestamp())
    _fix_expiry(secret, cloud)
    secret.etag = _etag(cloud)
    with cloud.store.transaction():
        if cloud.store.get(SECRETS, secret.name) is not None:
            raise ApiError("ALREADY_EXISTS", f"Secret [{secret.name}] already exists.")
        cloud.store.put(SECRETS, secret.name, secret)
    return secret


@service.method("GetSecret")
def get_secret(request: Any, cloud: Cloud) -> Message:
    return _secret(cloud, request.name)


@service.method("ListSecrets")
def list_secrets(request: Any, cloud: Cloud) -> Message:
    secrets = cloud.store.list(SECRETS, cloud.canonical(request.parent))
    chosen, token = page(secrets, request)
    return ListSecretsResponse.pb()(secrets=chosen, next_page_token=token, total_size=len(secrets))


@service.method("UpdateSecret")
def update_secret(request: Any, cloud: Cloud) -> Message:
    """Updates the mask's fields. Raises ApiError INVALID_ARGUMENT for a field that Secret Manager never changes."""
    # A path may name a part of a field: `rotation.next_rotation_time`.
    fixed = sorted(path for path in request.update_mask.paths if path.partition(".")[0] not in _MUTABLE_FIELDS)
    if fixed or not request.update_mask.paths:
        raise ApiError(
            "INVALID_ARGUMENT", f"The update mask may name {', '.join(sorted(_MUTABLE_FIELDS))}; got {fixed}."
        )
    with cloud.store.update(SECRETS, _secret(cloud, request.secret.name).name) as secret:
        request.update_mask.MergeMessage(request.secret, secret, True, True)
        _fix_expiry(secret, cloud)
        secret.etag = _etag(cloud)
    return secret


@service.method("DeleteSecret")
def delete_secret(request: Any, cloud: Cloud) -> Message:
    secret = _secret(cloud, request.name)
    _check_etag(request.etag, secret.etag)
    for version in cloud.store.list(VERSIONS, secret.name):
        cloud.secrets.delete(_PAYLOADS, version.name)
        cloud.store.delete(VERSIONS, version.name)
    cloud.store.delete(SECRETS, secret.name)
    forget_policies(cloud, secret.name)
    return Empty()


@service.method("AddSecretVersion")
def add_secret_version(request: Any, cloud: Cloud) -> Message:
    _check_payload(request.payload)
    with cloud.store.transaction():
        secret = _secret(cloud, request.parent)
        number = len(cloud.store.list(VERSIONS, secret.name)) + 1
        version = SecretVersion.pb()(name=f"{secret.name}/versions/{number}", state=_STATE.ENABLED, etag=_etag(cloud))
        version.create_time.CopyFrom(cloud.timestamp())
        version.replication_status.automatic.SetInParent()
        version.client_specified_payload_checksum = request.payload.HasField("data_crc32c")
        cloud.secrets.put(_PAYLOADS, version.name, BytesValue(value=request.payload.data))
        cloud.store.put(VERSIONS, version.name, version)
    return version


@service.method("AccessSecretVersion")
def access_secret_version(request: Any, cloud: Cloud) -> Message:
    version = _version(cloud, request.name)
    if version.state != _STATE.ENABLED:
        raise ApiError(
            "FAILED_PRECONDITION", f"Secret Version [{version.name}] is in {_STATE(version.state).name} state."
        )
    data = cloud.secrets.require(_PAYLOADS, version.name).value
    response = AccessSecretVersionResponse.pb()(name=version.name)
    response.payload.data = data
    response.payload.data_crc32c = google_crc32c.value(data)
    return response


@service.method("GetSecretVersion")
def get_secret_version(request: Any, cloud: Cloud) -> Message:
    return _version(cloud, request.name)


@service.method("ListSecretVersions")
def list_secret_versions(request: Any, cloud: Cloud) -> Message:
    """Lists versions, newest first, as the real service does."""
    versions = cloud.store.list(VERSIONS, _secret(cloud, request.parent).name)[::-1]
    chosen, token = page(versions, request)
    return ListSecretVersionsResponse.pb()(versions=chosen, next_page_token=token, total_size=len(versions))


@service.method("EnableSecretVersion")
def enable_secret_version(request: Any, cloud: Cloud) -> Message:
    return _change_state(request, cloud, _STATE.ENABLED)


@service.method("DisableSecretVersion")
def disable_secret_version(request: Any, cloud: Cloud) -> Message:
    return _change_state(request, cloud, _STATE.DISABLED)


@service.method("DestroySecretVersion")
def destroy_secret_version(request: Any, cloud: Cloud) -> Message:
    return _change_state(request, cloud, _STATE.DESTROYED)


@service.method("GetIamPolicy")
def get_iam_policy(request: Any, cloud: Cloud) -> Message:
    policy: Message = get_policy(cloud, _secret(cloud, request.resource).name)
    return policy


@service.method("SetIamPolicy")
def set_iam_policy(request: Any, cloud: Cloud) -> Message:
    policy: Message = set_policy(cloud, _secret(cloud, request.resource).name, request.policy)
    return policy


def _change_state(request: Any, cloud: Cloud, state: Any) -> Message:
    found = _version(cloud, request.name)
    with cloud.store.update(VERSIONS, found.name) as version:
        _check_etag(request.etag, version.etag)
        if version.state == _STATE.DESTROYED:
            raise ApiError("FAILED_PRECONDITION", f"Secret Version [{version.name}] is in DESTROYED state.")
        version.state = state
        version.etag = _etag(cloud)
        if state == _STATE.DESTROYED:
            version.destroy_time.CopyFrom(cloud.timestamp())
            cloud.secrets.delete(_PAYLOADS, version.name)
    return version


def _fix_expiry(secret: Any, cloud: Cloud) -> None:
    """Replaces `Secret.ttl`, an input-only field, by the expiry time."""
    if secret.WhichOneof("expiration") == "ttl":
        lifetime = secret.ttl.ToTimedelta()
        secret.expire_time.FromDatetime(cloud.clock() + lifetime)


def _check_payload(payload: Any) -> None:
    if not payload.data:
        raise ApiError("INVALID_ARGUMENT", "Secret Payload cannot be empty.")
    if len(payload.data) > _LARGEST_PAYLOAD:
        raise ApiError("INVALID_ARGUMENT", f"The payload exceeds the maximum size of {_LARGEST_PAYLOAD} bytes.")
    if payload.HasField("data_crc32c") and payload.data_crc32c != google_crc32c.value(payload.data):
        raise ApiError("INVALID_ARGUMENT", "The payload's data_crc32c does not match the checksum of its data.")


def _secret(cloud: Cloud, name: str) -> Any:
    found = cloud.store.get(SECRETS, cloud.canonical(name))
    if found is None:
        raise ApiError("NOT_FOUND", f"Secret [{cloud.canonical(name)}] not found.")
    return found


def _version(cloud: Cloud, name: str) -> Any:
    """A version by number, by `latest` (the newest, in any state), or by one of the secret's aliases."""
    secret_name, _, wanted = cloud.canonical(name).partition("/versions/")
    secret = cloud.store.get(SECRETS, secret_name)
    versions = cloud.store.list(VERSIONS, secret_name)
    if secret is None or not versions:
        raise ApiError("NOT_FOUND", f"Secret [{secret_name}] not found or has no versions.")
    if wanted == "latest":
        return versions[-1]
    number = secret.version_aliases.get(wanted, wanted)
    found = cloud.store.get(VERSIONS, f"{secret_name}/versions/{number}")
    if found is None:
        raise ApiError("NOT_FOUND", f"Secret Version [{secret_name}/versions/{wanted}] not found.")
    return found


def _check_etag(given: str, current: str) -> None:
    if given and given != current:
        raise ApiError("FAILED_PRECONDITION", "The etag provided does not match the current etag.")


def _etag(cloud: Cloud) -> str:
    return f'"{cloud.ids.hex(14)}"'
