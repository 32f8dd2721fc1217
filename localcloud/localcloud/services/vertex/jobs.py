"""Custom jobs: the local cloud has none. Lists are empty, and each job is not found."""

from typing import Any, NoReturn

from google.cloud.aiplatform_v1beta1.types import ListCustomJobsResponse
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.registration import Service
from localcloud.services.vertex.resource_names import check_numbered, read_location

service = Service("google.cloud.aiplatform.v1beta1.JobService")


@service.method("ListCustomJobs")
def list_custom_jobs(request: Any, cloud: Cloud) -> Message:
    read_location(request.parent, cloud)
    return ListCustomJobsResponse.pb()()


@service.method("GetCustomJob")
def get_custom_job(request: Any, cloud: Cloud) -> NoReturn:
    _not_found(request, cloud)


@service.method("CancelCustomJob")
def cancel_custom_job(request: Any, cloud: Cloud) -> NoReturn:
    _not_found(request, cloud)


@service.method("DeleteCustomJob")
def delete_custom_job(request: Any, cloud: Cloud) -> NoReturn:
    _not_found(request, cloud)


def _not_found(request: Any, cloud: Cloud) -> NoReturn:
    check_numbered(request.name, "CustomJob")
    raise ApiError("NOT_FOUND", f"The CustomJob {cloud.canonical(request.name)} does not exist.")
