"""Service Usage `v1beta1`, `services.generateServiceIdentity`: a service's own account in a project, made on request.

The installed client package knows `v1` alone, which has no such method.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud import permissions
from localcloud.cloud import Cloud
from localcloud.errors import ApiError

# "Service agents" (IAM), 2026-08-22: the host's name and the agent's domain.
_AGENTS = {"aiplatform.googleapis.com": "gcp-sa-aiplatform", "cloudbuild.googleapis.com": "gcp-sa-cloudbuild"}


async def _generate(request: Request) -> Response:
    cloud: Cloud = request.app.state.cloud
    return JSONResponse(await run_in_threadpool(_identity, cloud, request.path_params))


def _identity(cloud: Cloud, path: dict[str, str]) -> dict[str, object]:
    """The operation that ended with the identity; made twice, it is the same one."""
    project, service = cloud.project_id(path["project"]), path["service"]
    permissions.check(cloud, "serviceusage.services.enable", f"projects/{project}/services/{service}")
    if service not in _AGENTS:
        raise ApiError("INVALID_ARGUMENT", f"The local cloud knows no service identity of {service}.")
    number = cloud.project_number(project)
    identity = {
        "@type": "type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity",
        "email": f"service-{number}@{_AGENTS[service]}.iam.gserviceaccount.com",
        "uniqueId": f"1{number}",
    }
    return {"name": f"operations/finished.{cloud.ids.hex(16)}", "done": True, "response": identity}


ROUTES = [
    Route(
        "/v1beta1/projects/{project}/services/{service}:generateServiceIdentity",
        _generate,
        methods=["POST"],
    )
]
