"""Service accounts: created, found by email or unique id, changed, disabled, deleted and undeleted.

Evidence: answers of the real service, recorded between 2024 and 2026; the IAM API's "projects.serviceAccounts".
"""

import re
from collections.abc import Mapping

from google.protobuf.struct_pb2 import Struct

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.json_rows import Fields, fields_of, struct_of
from localcloud.core.permissions.accounts import account_etag, account_name, new_account
from localcloud.core.signed_tokens import SERVICE_ACCOUNTS
from localcloud.core.store import Kind
from localcloud.services.iam.deleted_members import mark_deleted, unmark_deleted
from localcloud.services.iam.iam_policies import forget_policies

_DELETED = Kind("deleted service account", Struct)
"""Deleted accounts by unique id, which can be undeleted for 30 days."""

# IAM, "Create service accounts".
_ACCOUNT_ID = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]")
_UPDATABLE = {"displayName": "displayName", "display_name": "displayName", "description": "description"}
_LARGEST_PAGE = 100


def create(cloud: Cloud, project: str, body: Fields) -> Fields:
    """`project`: an id or a number. Raises ApiError."""
    project = cloud.project_id(project)
    check_names(body, {"accountId", "serviceAccount"})
    account_id = str(body.get("accountId", ""))
    if not _ACCOUNT_ID.fullmatch(account_id):
        raise ApiError("INVALID_ARGUMENT", f"{account_id!r} is not a service account id: 6 to 30 of a-z, 0-9 and -.")
    given = body.get("serviceAccount") or {}
    check_names(given, {"displayName", "description", "name", "email", "etag"})
    email = f"{account_id}@{project}.iam.gserviceaccount.com"
    told = {name: given[name] for name in ("displayName", "description") if given.get(name)}
    account = new_account(cloud, project, email, told)
    with cloud.store.transaction():
        if cloud.store.get(SERVICE_ACCOUNTS, email) is not None:
            message = f"Service account {account_id} already exists within project projects/{project}."
            raise ApiError("ALREADY_EXISTS", message)
        _put(cloud, account)
    return account


def find(cloud: Cloud, project: str, account: str) -> Fields:
    """`account`: an email or a unique id; `project`: an id, a number, or "-" for any project. Raises NOT_FOUND."""
    found = cloud.store.get(SERVICE_ACCOUNTS, account)
    fields = fields_of(found) if found else next((one for one in _all(cloud) if one["uniqueId"] == account), None)
    if fields is not None and project in ("-", fields["projectId"], str(cloud.project_number(fields["projectId"]))):
        return fields
    if any(account in (one["email"], one["uniqueId"]) for one in map(fields_of, cloud.store.list(_DELETED))):
        raise ApiError("NOT_FOUND", f"Service account projects/{project}/serviceAccounts/{account} does not exist.")
    raise ApiError("NOT_FOUND", "Unknown service account")


def resource_name(cloud: Cloud, project: str, account: str) -> str:
    """The resource name of an account in its own project, whether it exists, is deleted, or never existed.

    `project`, `account`: as `find` takes them.
    """
    known = (*_all(cloud), *map(fields_of, cloud.store.list(_DELETED)))
    found = next((one for one in known if account in (one["email"], one["uniqueId"])), None)
    if found is not None:
        return str(found["name"])
    if project == "-":
        return account_name(cloud, account)
    return f"projects/{cloud.project_id(project)}/serviceAccounts/{account}"


def list_accounts(cloud: Cloud, project: str, query: Mapping[str, str]) -> Fields:
    project = cloud.project_id(project)
    accounts = [account for account in _all(cloud) if account["projectId"] == project]
    start = int(query.get("pageToken") or 0)
    end = start + min(int(query.get("pageSize") or _LARGEST_PAGE), _LARGEST_PAGE)
    return {
        **({"accounts": accounts[start:end]} if accounts[start:end] else {}),
        **({"nextPageToken": str(end)} if end < len(accounts) else {}),
    }


def patch(cloud: Cloud, account: Fields, body: Fields) -> Fields:
    """Answers only the name and the fields of the mask (recorded in 2026); the etag is not checked."""
    check_names(body, {"serviceAccount", "updateMask"})
    wanted = body.get("serviceAccount") or {}
    paths = [path for path in str(body.get("updateMask") or "").split(",") if path]
    if not paths or any(path not in _UPDATABLE for path in paths):
        raise ApiError("INVALID_ARGUMENT", "The update mask may name display_name and description.")
    changed = {name: wanted.get(name, "") for name in (_UPDATABLE[path] for path in paths)}
    _change(cloud, account, changed)
    return {"name": account["name"], **{name: value for name, value in changed.items() if value}}


def update(cloud: Cloud, account: Fields, body: Fields) -> Fields:
    """PUT: "currently, you can update only the displayName field"."""
    return _change(cloud, account, {"displayName": body.get("displayName", "")})


def set_disabled(cloud: Cloud, account: Fields, disabled: bool) -> Fields:
    _change(cloud, account, {"disabled": disabled})
    return {}


def delete(cloud: Cloud, account: Fields) -> Fields:
    with cloud.store.transaction():
        cloud.store.delete(SERVICE_ACCOUNTS, account["email"])
        cloud.store.put(_DELETED, account["uniqueId"], struct_of(account))
        forget_policies(cloud, account["name"])
    mark_deleted(cloud, account)
    return {}


def undelete(cloud: Cloud, unique_id: str) -> Fields:
    """Raises ApiError NOT_FOUND, or ALREADY_EXISTS where another account has the email by now."""
    with cloud.store.transaction():
        found = cloud.store.get(_DELETED, unique_id)
        if found is None:
            raise ApiError("NOT_FOUND", "Unknown service account")
        account = fields_of(found)
        if cloud.store.get(SERVICE_ACCOUNTS, account["email"]) is not None:
            raise ApiError("ALREADY_EXISTS", f"Service account {account['email']} exists.")
        cloud.store.delete(_DELETED, unique_id)
        _put(cloud, account)
    unmark_deleted(cloud, account)
    return {"restoredAccount": account}


def check_names(fields: Fields, known: set[str]) -> None:
    """Raises ApiError INVALID_ARGUMENT for a field that the message does not have."""
    for name in fields:
        if name not in known:
            raise ApiError(
                "INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            )


def _change(cloud: Cloud, account: Fields, changed: Fields) -> Fields:
    """Changes fields; empty ones are removed."""
    merged = {**account, **changed, "etag": account_etag(cloud)}
    kept = {name: value for name, value in merged.items() if value}
    _put(cloud, kept)
    return kept


def _all(cloud: Cloud) -> list[Fields]:
    return [fields_of(account) for account in cloud.store.list(SERVICE_ACCOUNTS)]


def _put(cloud: Cloud, account: Fields) -> None:
    cloud.store.put(SERVICE_ACCOUNTS, account["email"], struct_of(account))
