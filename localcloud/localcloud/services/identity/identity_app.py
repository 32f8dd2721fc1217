"""`oauth2`, `sts` and `iamcredentials.googleapis.com`: key files, logins and federated tokens become local tokens."""

from datetime import timedelta
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core.api_errors import ApiError
from localcloud.core.bearer import token_claims
from localcloud.core.callers import calling_as, member_of
from localcloud.core.cloud import Cloud
from localcloud.core.peers import is_own_process
from localcloud.core.permissions.accounts import account_name
from localcloud.core.permissions.method_permissions import require
from localcloud.core.signed_tokens import SERVICE_ACCOUNTS, signing_account
from localcloud.services.identity.federation import exchange
from localcloud.services.identity.tokens import LIFETIME_SECONDS, access_token_answer, identity_token


def create_app(cloud: Cloud) -> Starlette:
    app = Starlette(
        routes=[
            Route("/token", _token, methods=["POST"]),
            Route("/v1/token", exchange, methods=["POST"]),
            Route("/v1/projects/{project}/serviceAccounts/{account}:generateAccessToken", _generate, methods=["POST"]),
            Route("/v1/projects/{project}/serviceAccounts/{account}:generateIdToken", _generate_id, methods=["POST"]),
            Route("/v1/projects/{project}/serviceAccounts/{account}/allowedLocations", _locations, methods=["GET"]),
        ],
        exception_handlers={ApiError: _refuse},
    )
    app.state.cloud = cloud
    return app


async def _token(request: Request) -> Response:
    """Answers a login with its user's token, a key file with its account's."""
    cloud: Cloud = request.app.state.cloud
    form = {name: values[0] for name, values in parse_qs((await request.body()).decode("latin-1")).items()}
    match form.get("grant_type"):
        case "refresh_token":
            known = cloud.refreshed_member(form.get("refresh_token", ""))
            # The user's own login with Google: the proxy refuses other users of the machine.
            if known is None and is_own_process(request.scope["client"], request.scope["server"]):
                known = cloud.user
            if known is None:
                return JSONResponse({"error": "invalid_grant", "error_description": "Bad Request"}, status_code=400)
            member = known
        case "urn:ietf:params:oauth:grant-type:jwt-bearer":
            assertion = form.get("assertion", "")
            if cloud.store.get(SERVICE_ACCOUNTS, str(token_claims(assertion).get("iss", ""))) is None:
                refused = {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}
                return JSONResponse(refused, status_code=400)
            account = await run_in_threadpool(signing_account, cloud.store, assertion)
            if not account:
                refused = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
                return JSONResponse(refused, status_code=400)
            member = member_of(account)
        case _:
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
    answer = {**access_token_answer(cloud, member), "scope": form.get("scope", "")}
    if form["grant_type"] == "refresh_token":
        # Logins of people are granted `openid`, too: each refresh brings an identity token (recorded in 2021).
        answer["id_token"] = identity_token(cloud, member, form.get("client_id", ""))
    return JSONResponse(answer)


async def _generate(request: Request) -> Response:
    cloud: Cloud = request.app.state.cloud
    member = await run_in_threadpool(_impersonated, cloud, request, "generateAccessToken")
    expires = cloud.clock() + timedelta(seconds=LIFETIME_SECONDS)
    return JSONResponse({"accessToken": cloud.token_of(member), "expireTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ")})


async def _generate_id(request: Request) -> Response:
    cloud: Cloud = request.app.state.cloud
    member = await run_in_threadpool(_impersonated, cloud, request, "generateIdToken")
    return JSONResponse({"token": identity_token(cloud, member, (await request.json()).get("audience", ""))})


def _impersonated(cloud: Cloud, request: Request, method: str) -> str:
    """The account in the request, as a member. Raises ApiError unless the caller may get its tokens."""
    email = request.path_params["account"]
    with calling_as(cloud.check_token(request.headers.get("authorization", ""))):
        require(cloud, f"iamcredentials/{method}", account_name(cloud, email))
    if cloud.store.get(SERVICE_ACCOUNTS, email) is None:
        raise ApiError("NOT_FOUND", f"Not found; Gaia id not found for email {email}")
    return member_of(email)


async def _locations(request: Request) -> Response:
    return JSONResponse({"locations": [], "encodedLocations": "0x0"})


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), status_code=error.http_status)
