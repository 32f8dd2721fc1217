"""The caller's account, and whether a repo is open to it."""

from starlette.responses import JSONResponse, Response

from localcloud.services.hub.hub_access import check_gate
from localcloud.services.hub.hub_errors import HubError, no_credentials
from localcloud.services.hub.visits import Visit


def whoami(visit: Visit) -> Response:
    if visit.token is None:
        raise no_credentials()
    name = visit.token.user
    access = {"type": "access_token", "accessToken": {"displayName": "local", "role": "read"}}
    user = {"type": "user", "id": name, "name": name, "fullname": name, "isPro": False, "orgs": []}
    return JSONResponse({**user, "auth": access})


def auth_check(visit: Visit) -> Response:
    check_gate(visit.repo(), visit.token)
    return Response(b"OK", media_type="text/plain")


def write_auth_check(visit: Visit) -> Response:
    """Always refused, because the local Hub serves directories of other owners."""
    visit.repo()
    if visit.token is None:
        raise no_credentials()
    raise HubError(403, "", "Forbidden: this token may only read.")
