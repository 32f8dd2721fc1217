"""`iam.googleapis.com`: service accounts, who may act as them, and workload identity pools.

Over REST alone: the installed client of the first two speaks only gRPC, the third has no client package at all.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.iam.v1.policy_pb2 import Policy
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.callers import calling_as
from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.google import custom_roles, identity_pools
from localcloud.google.accounts import account_name
from localcloud.google.iam_requests import iam_call
from localcloud.google.policies import SERVICE_ACCOUNTS, forget_policies, get_policy, set_policy
from localcloud.method_permissions import require

Fields = dict[str, Any]

_ON_ONE_ROLE = ["GET", "POST", "PATCH", "DELETE"]
# IAM, "Create service accounts".
_ACCOUNT_ID = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]")


def create_app(cloud: Cloud) -> Starlette:
    accounts = "/v1/projects/{project}/serviceAccounts"
    roles = "/v1/projects/{project}/roles"
    pools = "/v1/projects/{project}/locations/global/workloadIdentityPools"
    providers = f"{pools}/{{pool}}/providers"
    return Starlette(
        routes=[
            Route(accounts, _answer(cloud, _create_account), methods=["POST"]),
            Route(accounts, _answer(cloud, _list_accounts), methods=["GET"]),
            Route(f"{accounts}/{{account}}", _answer(cloud, _account), methods=["GET", "POST", "DELETE"]),
            Route(roles, _answer(cloud, custom_roles.create_role), methods=["POST"]),
            Route(roles, _answer(cloud, custom_roles.list_roles), methods=["GET"]),
            Route(
                f"{roles}/{{role}}", _answer(cloud, custom_roles.one_role), methods=["GET", "POST", "PATCH", "DELETE"]
            ),
            Route(pools, _answer(cloud, identity_pools.create_pool), methods=["POST"]),
            Route(f"{pools}/{{pool}}", _answer(cloud, identity_pools.one), methods=["GET", "POST", "DELETE"]),
            Route(providers, _answer(cloud, identity_pools.create_provider), methods=["POST"]),
            Route(f"{providers}/{{provider}}", _answer(cloud, identity_pools.one), methods=["GET", "POST", "DELETE"]),
        ],
        exception_handlers={ApiError: _refuse},
    )


def _create_account(cloud: Cloud, call: identity_pools.Call) -> Fields:
    project = cloud.project_id(call.path["project"])
    account_id = str(call.body.get("accountId", ""))
    if not _ACCOUNT_ID.fullmatch(account_id):
        raise ApiError("INVALID_ARGUMENT", f"{account_id!r} is no service account id: 6 to 30 of a-z, 0-9 and -.")
    email = f"{account_id}@{project}.iam.gserviceaccount.com"
    given = call.body.get("serviceAccount", {})
    fields: Fields = {
        "name": f"projects/{project}/serviceAccounts/{email}",
        "projectId": project,
        "uniqueId": cloud.ids.numeric(21),
        "email": email,
        **{name: given[name] for name in ("displayName", "description") if name in given},
    }
    account = Struct()
    account.update(fields)
    with cloud.store.transaction():
        if cloud.store.get(SERVICE_ACCOUNTS, email) is not None:
            raise ApiError("ALREADY_EXISTS", f"Service account {account_id} already exists within project {project}.")
        cloud.store.put(SERVICE_ACCOUNTS, email, account)
    return fields


def _list_accounts(cloud: Cloud, call: identity_pools.Call) -> Fields:
    project = cloud.project_id(call.path["project"])
    accounts = [json_format.MessageToDict(account) for account in cloud.store.list(SERVICE_ACCOUNTS)]
    return {"accounts": [account for account in accounts if account["projectId"] == project]}


def _account(cloud: Cloud, call: identity_pools.Call) -> Fields:
    """One account: looked at, deleted, or its policy read or written."""
    email, _, action = call.path["account"].partition(":")
    found = cloud.store.get(SERVICE_ACCOUNTS, email)
    if found is None:
        raise ApiError("NOT_FOUND", f"Unknown service account {email}.")
    account: Fields = json_format.MessageToDict(found)
    name = account["name"]
    match call.verb, action:
        case "GET", "":
            return account
        case "DELETE", "":
            cloud.store.delete(SERVICE_ACCOUNTS, email)
            forget_policies(cloud, name)
            return {}
        case "POST", "getIamPolicy":
            return _json(get_policy(cloud, name))
        case "POST", "setIamPolicy":
            return _json(set_policy(cloud, name, _policy(call.body)))
    raise ApiError("UNIMPLEMENTED", f"The local cloud does not implement {call.verb} of {action or 'an account'}.")


def _policy(body: Fields) -> Policy:
    try:
        return json_format.ParseDict(body.get("policy", {}), Policy())
    except (json_format.ParseError, ValueError, TypeError, AttributeError) as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None


def _json(policy: Policy) -> Fields:
    fields: Fields = json_format.MessageToDict(policy)
    return fields


def _answer(
    cloud: Cloud, handler: Callable[[Cloud, identity_pools.Call], Mapping[str, Any]]
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        caller = cloud.check_token(request.headers.get("authorization", ""))
        body = await request.body()
        try:
            fields = json.loads(body) if body else {}
        except ValueError as error:
            raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None
        call = identity_pools.Call(request.method, request.path_params, request.query_params, fields)

        def ask_and_handle() -> Mapping[str, Any]:
            _ask(cloud, request)
            return handler(cloud, call)

        with calling_as(caller):
            return JSONResponse(await run_in_threadpool(ask_and_handle))

    return answer


def _ask(cloud: Cloud, request: Request) -> None:
    """Raises ApiError PERMISSION_DENIED unless the caller may make this request."""
    asked = iam_call(request.method, request.url.path)
    if asked is None:
        return
    resource = asked.resource
    if "/serviceAccounts/" in resource:  # named by number, by id or by `-`
        email, slash, rest = resource.partition("/serviceAccounts/")[2].partition("/")
        resource = f"{account_name(cloud, email)}{slash}{rest}"
    require(cloud, asked.rpc, resource)


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), status_code=error.http_status)
