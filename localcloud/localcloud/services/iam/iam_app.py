"""`iam.googleapis.com`: service accounts, their keys and policies, custom roles, and workload identity pools.

Over REST alone: the installed client of the first two speaks only gRPC, the third has no client package.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.iam.v1.policy_pb2 import Policy
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import calling_as
from localcloud.core.cloud import Cloud
from localcloud.core.permissions.method_permissions import require
from localcloud.services.iam import custom_roles, identity_pools, service_account_keys, service_accounts
from localcloud.services.iam.iam_policies import get_policy, set_policy
from localcloud.services.iam.iam_requests import iam_call
from localcloud.services.iam.identity_pools import Call
from localcloud.services.iam.permission_tests import test_permissions

Fields = dict[str, Any]

# The older form of an error's cause, for clients generated from discovery documents (recorded 2024 to 2026).
_REASONS = {
    "INVALID_ARGUMENT": "badRequest",
    "FAILED_PRECONDITION": "failedPrecondition",
    "UNAUTHENTICATED": "authError",
    "PERMISSION_DENIED": "forbidden",
    "NOT_FOUND": "notFound",
    "ALREADY_EXISTS": "alreadyExists",
    "ABORTED": "aborted",
    "RESOURCE_EXHAUSTED": "rateLimitExceeded",
    "UNIMPLEMENTED": "notImplemented",
    "UNAVAILABLE": "backendError",
}


def create_app(cloud: Cloud) -> Starlette:
    accounts = "/v1/projects/{project}/serviceAccounts"
    keys = f"{accounts}/{{account}}/keys"
    roles = "/v1/projects/{project}/roles"
    routes = [
        (accounts, _create_account, "POST"),
        (accounts, _list_accounts, "GET"),
        (f"{accounts}/{{account}}", _account, "GET POST PATCH PUT DELETE"),
        (keys, _keys, "GET POST"),
        (f"{keys}:upload", _upload_key, "POST"),
        (f"{keys}/{{key}}", _keys, "GET POST DELETE"),
        (roles, _roles, "GET POST"),
        (f"{roles}/{{role}}", _roles, "GET POST PATCH DELETE"),
        *identity_pools.ROUTES,
    ]
    return Starlette(
        routes=[Route(path, _answer(cloud, handler), methods=verbs.split()) for path, handler, verbs in routes],
        exception_handlers={ApiError: _refuse, HTTPException: _unknown},
    )


def error_body(error: ApiError) -> Fields:
    """The error as IAM answers it, with its cause also in the older form."""
    body = error.body()
    reason = _REASONS.get(error.code, "backendError")
    body["error"]["errors"] = [{"message": error.message, "domain": "global", "reason": reason}]
    return body


def _create_account(cloud: Cloud, call: Call) -> Fields:
    return service_accounts.create(cloud, call.path["project"], call.body)


def _list_accounts(cloud: Cloud, call: Call) -> Fields:
    return service_accounts.list_accounts(cloud, call.path["project"], call.query)


def _account(cloud: Cloud, call: Call) -> Fields:
    """Reads, changes or deletes an account, or reads or writes its policy."""
    named, _, action = call.path["account"].partition(":")
    if (call.verb, action) == ("POST", "undelete"):
        return service_accounts.undelete(cloud, named)
    account = service_accounts.find(cloud, call.path["project"], named)
    name = account["name"]
    match call.verb, action:
        case "GET", "":
            return account
        case "PATCH", "":
            return service_accounts.patch(cloud, account, call.body)
        case "PUT", "":
            return service_accounts.update(cloud, account, call.body)
        case "DELETE", "":
            return service_accounts.delete(cloud, account)
        case "POST", "enable" | "disable":
            return service_accounts.set_disabled(cloud, account, action == "disable")
        case "POST", "getIamPolicy":
            return _json(get_policy(cloud, name))
        case "POST", "setIamPolicy":
            return _json(set_policy(cloud, name, _policy(call.body)))
        case "POST", "testIamPermissions":
            return test_permissions(cloud, name, call.body.get("permissions", []))
    raise _not_implemented(call, action)


def _keys(cloud: Cloud, call: Call) -> Fields:
    account = service_accounts.find(cloud, call.path["project"], call.path["account"])
    key_id, _, action = call.path.get("key", "").partition(":")
    match call.verb, action:
        case "POST", "" if not key_id:
            return service_account_keys.create(cloud, account, call.body)
        case "GET", "" if not key_id:
            return service_account_keys.list_keys(cloud, account, call.query.getlist("keyTypes"))
        case "GET", "":
            return service_account_keys.get(cloud, account, key_id, call.query)
        case "DELETE", "":
            return service_account_keys.delete(cloud, account, key_id)
        case "POST", "enable" | "disable":
            return service_account_keys.set_disabled(cloud, account, key_id, action == "disable")
    raise _not_implemented(call, action)


def _upload_key(cloud: Cloud, call: Call) -> Fields:
    account = service_accounts.find(cloud, call.path["project"], call.path["account"])
    return service_account_keys.upload(cloud, account, call.body)


def _roles(cloud: Cloud, call: Call) -> Fields:
    project = call.path["project"]
    role_id, _, action = call.path.get("role", "").partition(":")
    if not role_id:
        create = call.verb == "POST"
        return (
            custom_roles.create(cloud, project, call.body)
            if create
            else custom_roles.list_roles(cloud, project, call.query)
        )
    role = custom_roles.get(cloud, project, role_id)
    match call.verb, action:
        case "GET", "":
            return role
        case "PATCH", "":
            return custom_roles.patch(cloud, role, call.body, call.query.get("updateMask", ""))
        case "DELETE", "":
            return custom_roles.delete(cloud, role)
        case "POST", "undelete":
            return custom_roles.undelete(cloud, role)
    raise _not_implemented(call, action)


def _not_implemented(call: Call, action: str) -> ApiError:
    what = f"{call.verb} :{action}" if action else call.verb
    return ApiError("UNIMPLEMENTED", f"The local cloud does not implement {what} of {'/'.join(call.path.values())}.")


def _policy(body: Fields) -> Policy:
    try:
        return json_format.ParseDict(body.get("policy", {}), Policy())
    except (json_format.ParseError, ValueError, TypeError, AttributeError) as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None


def _json(policy: Policy) -> Fields:
    fields: Fields = json_format.MessageToDict(policy)
    return fields


def _answer(
    cloud: Cloud, handler: Callable[[Cloud, Call], Mapping[str, Any]]
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        caller = cloud.check_token(request.headers.get("authorization", ""))
        body = await request.body()
        try:
            fields = json.loads(body) if body else {}
        except ValueError as error:
            raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None
        call = Call(request.method, request.path_params, request.query_params, fields)

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
    project, found, account = resource.partition("/serviceAccounts/")
    if found:  # its project is given by number, by id or as `-`
        named, slash, rest = account.partition("/")
        name = service_accounts.resource_name(cloud, project.partition("/")[2], named)
        resource = f"{name}{slash}{rest}"
    require(cloud, asked.rpc, resource)


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error_body(error), status_code=error.http_status)


def _unknown(request: Request, error: Exception) -> Response:
    """Refuses methods that are not implemented (deny policies, predefined roles, organizations)."""
    what = f"{request.method} {request.url.path}"
    return _refuse(request, ApiError("UNIMPLEMENTED", f"The local cloud does not implement {what} of IAM."))
