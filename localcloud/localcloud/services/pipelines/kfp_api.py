"""The API of open-source Kubeflow Pipelines (v2beta1): experiments and runs, as `kfp.Client` requests them.

The runner of pipeline jobs executes a run. As in Kubeflow, placeholders have other values, and the steps' environment
names no project. The job's name has a location of its own, so Vertex AI does not list it.
"""

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.cloud.aiplatform_v1beta1.types import CreatePipelineJobRequest, PipelineState
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.json_rows import Fields, struct_of
from localcloud.core.store import Kind
from localcloud.services.pipelines import kfp_unserved
from localcloud.services.pipelines.job import KFP_LOCATION
from localcloud.services.pipelines.pipeline_jobs import cancel_jobs, create_job, delete_job
from localcloud.services.pipelines.pipeline_spec import check_platforms
from localcloud.services.pipelines.runs import PIPELINE_JOBS
from localcloud.services.pipelines.task_details import TASK
from localcloud.services.pipelines.values import integral

_EXPERIMENTS = Kind("kfp experiment", Struct)
_EXPERIMENT_OF = Kind("kfp run's experiment", Struct)
_JOB_PREFIX = "run-"
# Kubeflow's spelling; https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/
_STATES = {"CANCELLING": "CANCELING", "CANCELLED": "CANCELED", "NOT_TRIGGERED": "SKIPPED", "QUEUED": "PENDING"}
_NOT_YET = "1970-01-01T00:00:00Z"
_LARGEST_PAGE = 200
_SORTED_BY = ("created_at", "display_name")
_VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(cloud: Cloud) -> Starlette:
    def route(path: str, **handlers: Callable[[Cloud, Request, Fields], Fields]) -> Route:
        return Route(f"/apis/v2beta1{path}", _answer(cloud, handlers), methods=list(handlers))

    return Starlette(
        routes=[
            route("/healthz", GET=lambda cloud, request, body: {"multi_user": False}),
            route("/experiments", GET=_list_experiments, POST=_create_experiment),
            route("/experiments/{experiment}", GET=_get_experiment),
            route("/runs", GET=_list_runs, POST=_create_run),
            route("/runs/{run}:terminate", POST=_terminate_run),
            route("/runs/{run}", GET=_get_run, DELETE=_delete_run),
            Route("/apis/{version}/{path:path}", _refuse_unserved, methods=_VERBS),
        ],
        exception_handlers={ApiError: _refuse},
    )


async def _refuse_unserved(request: Request) -> Response:
    version, path = request.path_params["version"], request.path_params["path"]
    if version != "v2beta1":
        raise ApiError("UNIMPLEMENTED", f"The local Kubeflow Pipelines has the API v2beta1 alone, not {version}.")
    raise ApiError("UNIMPLEMENTED", kfp_unserved.refusal(request.method, f"/{path}"))


def _create_experiment(cloud: Cloud, request: Request, body: Fields) -> Fields:
    name = str(body.get("display_name", ""))
    if not name:
        raise ApiError("INVALID_ARGUMENT", "Experiment name is empty.")
    with cloud.store.transaction():
        if any(found["display_name"] == name for found in _experiments(cloud)):
            raise ApiError("ALREADY_EXISTS", f"The name {name} already exists. Please specify a new name.")
        fields = {
            "experiment_id": str(uuid.UUID(cloud.ids.hex())),
            "display_name": name,
            "description": str(body.get("description", "")),
            "created_at": cloud.timestamp().ToJsonString(),
            "storage_state": "AVAILABLE",
        }
        cloud.store.put(_EXPERIMENTS, fields["experiment_id"], struct_of(fields))
    return fields


def _list_experiments(cloud: Cloud, request: Request, body: Fields) -> Fields:
    names = _equal_names(request.query_params.get("filter", ""))
    found = [fields for fields in _experiments(cloud) if not names or fields["display_name"] in names]
    return _page(request, "experiments", found)


def _get_experiment(cloud: Cloud, request: Request, body: Fields) -> Fields:
    return _experiment(cloud, request.path_params["experiment"])


def _create_run(cloud: Cloud, request: Request, body: Fields) -> Fields:
    experiment = _experiment(cloud, str(body.get("experiment_id", "")))
    if not body.get("display_name"):
        raise ApiError("INVALID_ARGUMENT", "The run's display name is empty.")
    if "pipeline_spec" not in body:
        raise ApiError("UNIMPLEMENTED", "The local Kubeflow Pipelines has no pipelines: a run has to bring its spec.")
    runtime = body.get("runtime_config", {})
    if not str(runtime.get("pipeline_root", "")).startswith("gs://"):
        raise ApiError(
            "INVALID_ARGUMENT", "The local Kubeflow Pipelines has no object store: pipeline_root has to be gs://."
        )
    spec = body["pipeline_spec"]
    # With platform options, the compiler's two documents come as one.
    check_platforms(spec.get("platform_spec") or {})
    run_id = str(uuid.UUID(cloud.ids.hex()))
    asked = {
        "parent": f"projects/{cloud.project}/locations/{KFP_LOCATION}",
        "pipelineJobId": f"{_JOB_PREFIX}{run_id}",
        "pipelineJob": {
            "displayName": body["display_name"],
            "pipelineSpec": spec.get("pipeline_spec", spec),
            "runtimeConfig": {
                "parameterValues": runtime.get("parameters", {}),
                "gcsOutputDirectory": runtime["pipeline_root"],
            },
        },
    }
    try:
        message = json_format.ParseDict(asked, CreatePipelineJobRequest.pb()())
    except json_format.ParseError as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid run: {error}") from None
    cloud.store.put(_EXPERIMENT_OF, run_id, struct_of({"experiment_id": experiment["experiment_id"]}))
    return _run(cloud, create_job(message, cloud))


def _list_runs(cloud: Cloud, request: Request, body: Fields) -> Fields:
    """Lists runs, newest first."""
    wanted = request.query_params.get("experiment_id", "")
    jobs = cloud.store.list(PIPELINE_JOBS, cloud.canonical(f"projects/{cloud.project}/locations/{KFP_LOCATION}"))
    found = [_run(cloud, job) for job in reversed(jobs)]
    names = _equal_names(request.query_params.get("filter", ""))
    chosen = [run for run in found if wanted in ("", run["experiment_id"])]
    return _page(request, "runs", [run for run in chosen if not names or run["display_name"] in names])


def _get_run(cloud: Cloud, request: Request, body: Fields) -> Fields:
    return _run(cloud, _job(cloud, request))


def _terminate_run(cloud: Cloud, request: Request, body: Fields) -> Fields:
    cancel_jobs([_job(cloud, request).name], cloud)
    return {}


def _delete_run(cloud: Cloud, request: Request, body: Fields) -> Fields:
    delete_job(_job(cloud, request).name, cloud)
    cloud.store.delete(_EXPERIMENT_OF, request.path_params["run"])
    return {}


def _job(cloud: Cloud, request: Request) -> Any:
    parent = cloud.canonical(f"projects/{cloud.project}/locations/{KFP_LOCATION}")
    found = cloud.store.get(PIPELINE_JOBS, f"{parent}/pipelineJobs/{_JOB_PREFIX}{request.path_params['run']}")
    if found is None:
        raise ApiError("NOT_FOUND", f"Run {request.path_params['run']} not found.")
    return found


def _run(cloud: Cloud, job: Any) -> Fields:
    run_id = str(job.name).rpartition(f"/{_JOB_PREFIX}")[2]
    experiment = cloud.store.get(_EXPERIMENT_OF, run_id)
    runtime = json_format.MessageToDict(job.runtime_config)
    fields: Fields = {
        "run_id": run_id,
        "experiment_id": experiment["experiment_id"] if experiment else "",
        "display_name": job.display_name,
        "storage_state": "AVAILABLE",
        "pipeline_spec": integral(json_format.MessageToDict(job.pipeline_spec)),
        "runtime_config": {
            "parameters": integral(runtime.get("parameterValues", {})),
            "pipeline_root": job.runtime_config.gcs_output_directory,
        },
        "created_at": _time(job, "create_time"),
        "scheduled_at": _time(job, "create_time"),
        "finished_at": _time(job, "end_time"),
        "state": _state(PipelineState(job.state).name.removeprefix("PIPELINE_STATE_")),
        "run_details": {"task_details": [_task(run_id, detail) for detail in job.job_detail.task_details]},
    }
    return fields | ({"error": _error(job.error)} if job.HasField("error") else {})


def _task(run_id: str, detail: Any) -> Fields:
    fields: Fields = {
        "run_id": run_id,
        "task_id": str(detail.task_id),
        # Kubeflow's name of the outermost task.
        "display_name": detail.task_name if detail.parent_task_id else "root",
        "create_time": _time(detail, "create_time"),
        "start_time": _time(detail, "start_time"),
        "end_time": _time(detail, "end_time"),
        "state": _state(TASK.State.Name(detail.state)),
    }
    if detail.parent_task_id:
        fields["parent_task_id"] = str(detail.parent_task_id)
    return fields | ({"error": _error(detail.error)} if detail.HasField("error") else {})


def _state(name: str) -> str:
    return _STATES.get(name, name)


def _error(status: Any) -> Fields:
    return {"code": status.code, "message": status.message}


def _time(message: Any, field: str) -> str:
    stamp: Timestamp = getattr(message, field)
    return stamp.ToJsonString() if message.HasField(field) else _NOT_YET


def _experiment(cloud: Cloud, experiment_id: str) -> Fields:
    found = cloud.store.get(_EXPERIMENTS, experiment_id)
    if found is None:
        raise ApiError("NOT_FOUND", f"Experiment {experiment_id} not found.")
    fields: Fields = json_format.MessageToDict(found)
    return fields


def _experiments(cloud: Cloud) -> list[Fields]:
    return [json_format.MessageToDict(found) for found in cloud.store.list(_EXPERIMENTS)]


def _equal_names(text: str) -> set[str]:
    """The display names that a filter asks for; empty without a filter. Raises ApiError for an unsupported filter."""
    if not text:
        return set()
    try:
        predicates = json.loads(text)["predicates"]
        if all(
            (each["operation"], each["key"]) in (("EQUALS", "display_name"), (1, "display_name")) for each in predicates
        ):
            return {each.get("stringValue") or each["string_value"] for each in predicates}
    except (ValueError, KeyError, TypeError):
        pass
    raise ApiError("INVALID_ARGUMENT", f"The local Kubeflow Pipelines filters by equal display_name alone, not {text}.")


def _page(request: Request, name: str, found: list[Fields]) -> Fields:
    order = request.query_params.get("sort_by", "")
    if order:
        field, _, direction = order.partition(" ")
        if field not in _SORTED_BY or direction not in ("", "asc", "desc"):
            known = ", ".join(_SORTED_BY)
            raise ApiError(
                "INVALID_ARGUMENT", f"sort_by: {order!r} is not supported; known: {known}, then asc or desc."
            )
        found = sorted(found, key=lambda fields: str(fields.get(field, "")), reverse=direction == "desc")
    start = int(request.query_params.get("page_token") or 0)
    end = start + min(int(request.query_params.get("page_size") or _LARGEST_PAGE), _LARGEST_PAGE)
    more = {"next_page_token": str(end)} if end < len(found) else {}
    return {name: found[start:end], "total_size": len(found), **more}


def _answer(
    cloud: Cloud, handlers: Mapping[str, Callable[[Cloud, Request, Fields], Fields]]
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        text = await request.body()
        try:
            body = json.loads(text) if text else {}
        except ValueError as error:
            raise ApiError("INVALID_ARGUMENT", f"The body is not JSON: {error}") from None
        return JSONResponse(await run_in_threadpool(handlers[request.method], cloud, request, body))

    return answer


def _refuse(request: Request, error: Exception) -> Response:
    """An error in the form of grpc-gateway."""
    assert isinstance(error, ApiError)
    status = error.body()["error"]
    told = {"error": status["message"], "code": status["code"], "message": status["message"], "details": []}
    return JSONResponse(told, status_code=error.http_status)
