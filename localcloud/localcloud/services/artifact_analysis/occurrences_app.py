"""`containeranalysis.googleapis.com`: occurrences are listed and read, over REST; Cloud Build alone writes them here.

No client package of it is installed, so there are no messages: occurrences are JSON, with the fields of API v1.
Notes, attestations, vulnerabilities and every other method are refused by name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import calling_as
from localcloud.core.cloud import Cloud
from localcloud.core.json_rows import Fields, fields_of
from localcloud.core.paging import page
from localcloud.core.permissions.method_permissions import require
from localcloud.services.artifact_analysis.build_occurrences import OCCURRENCES

# The reference of `projects.occurrences.list`: "Maximum allowed page size is 1000. If not specified, defaults to 20."
_LARGEST_PAGE = 1000
_USUAL_PAGE = 20
_ALIASES: Mapping[str, Callable[[Any], str]] = {
    "kind": lambda occurrence: str(occurrence["kind"]),
    # The filter's name of `resourceUri` ("Filtering", Artifact Analysis; gcloud's own filters write it so).
    "resourceUrl": lambda occurrence: str(occurrence["resourceUri"]),
}


@dataclass(frozen=True)
class _Page:
    filter: str
    page_size: int
    page_token: str


def create_app(cloud: Cloud) -> Starlette:
    routes = [
        Route("/v1/projects/{project}/occurrences", _answer(cloud, _list), methods=["GET"]),
        Route("/v1/projects/{project}/occurrences/{occurrence}", _answer(cloud, _get), methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={ApiError: _refuse, HTTPException: _unknown})


def _list(cloud: Cloud, request: Request) -> Fields:
    query, parent = request.query_params, f"projects/{request.path_params['project']}"
    require(cloud, "containeranalysis/occurrences.list", parent)
    size = query.get("pageSize", "0")
    if not re.fullmatch("[0-9]{1,6}", size) or int(size) > _LARGEST_PAGE:
        raise ApiError("INVALID_ARGUMENT", f"page_size must be between 0 and {_LARGEST_PAGE}.")
    asked = _Page(query.get("filter", ""), int(size) or _USUAL_PAGE, query.get("pageToken", ""))
    found = cloud.store.list(OCCURRENCES, cloud.canonical(parent))
    chosen, token = page(found, asked, _ALIASES, _LARGEST_PAGE)
    answer: Fields = {"occurrences": [fields_of(one) for one in chosen]} if chosen else {}
    return answer | ({"nextPageToken": token} if token else {})


def _get(cloud: Cloud, request: Request) -> Fields:
    name = f"projects/{request.path_params['project']}/occurrences/{request.path_params['occurrence']}"
    require(cloud, "containeranalysis/occurrences.get", name)
    found = cloud.store.get(OCCURRENCES, cloud.canonical(name))
    if found is None:
        raise ApiError("NOT_FOUND", f"occurrence with name {name!r} does not exist")
    return fields_of(found)


def _answer(cloud: Cloud, handler: Callable[[Cloud, Request], Fields]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        with calling_as(cloud.check_token(request.headers.get("authorization", ""))):
            return JSONResponse(await run_in_threadpool(handler, cloud, request))

    return answer


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), status_code=error.http_status)


def _unknown(request: Request, error: Exception) -> Response:
    what = f"{request.method} {request.url.path}"
    return _refuse(
        request, ApiError("UNIMPLEMENTED", f"The local cloud does not implement {what} of Artifact Analysis.")
    )
