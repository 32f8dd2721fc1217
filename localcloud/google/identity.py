"""`oauth2.googleapis.com` and `iamcredentials.googleapis.com`: key files and `gcloud` logins become local tokens."""

from datetime import timedelta
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.google.tokens import LIFETIME_SECONDS, access_token_answer, identity_token

_GRANTS = ("refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer")


def create_app(cloud: Cloud) -> Starlette:
    app = Starlette(
        routes=[
            Route("/token", _token, methods=["POST"]),
            Route("/v1/projects/{project}/serviceAccounts/{account}:generateAccessToken", _generate, methods=["POST"]),
            Route("/v1/projects/{project}/serviceAccounts/{account}:generateIdToken", _generate_id, methods=["POST"]),
            Route("/v1/projects/{project}/serviceAccounts/{account}/allowedLocations", _locations, methods=["GET"]),
        ],
        exception_handlers={ApiError: _refuse},
    )
    app.state.cloud = cloud
    return app


async def _token(request: Request) -> Response:
    """Whoever comes is let in: the credentials are somebody's own, and nothing is asked of Google about them."""
    form = {name: values[0] for name, values in parse_qs((await request.body()).decode("latin-1")).items()}
    if form.get("grant_type") not in _GRANTS:
        return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
    cloud: Cloud = request.app.state.cloud
    answer = {**access_token_answer(cloud), "scope": form.get("scope", "")}
    if form["grant_type"] == "refresh_token":
        # Logins of people are granted `openid`, too: each refresh brings an identity token (recorded in 2021).
        answer["id_token"] = identity_token(cloud, form.get("client_id", ""))
    return JSONResponse(answer)


async def _generate(request: Request) -> Response:
    cloud: Cloud = request.app.state.cloud
    cloud.check_token(request.headers.get("authorization", ""))
    expires = cloud.clock() + timedelta(seconds=LIFETIME_SECONDS)
    return JSONResponse({"accessToken": cloud.access_token, "expireTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ")})


async def _generate_id(request: Request) -> Response:
    cloud: Cloud = request.app.state.cloud
    cloud.check_token(request.headers.get("authorization", ""))
    return JSONResponse({"token": identity_token(cloud, (await request.json()).get("audience", ""))})


async def _locations(request: Request) -> Response:
    return JSONResponse({"locations": [], "encodedLocations": "0x0"})


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), status_code=error.http_status)
