"""The job of a `CreatePipelineJob` request, or its refusal."""

import re
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from google.cloud.aiplatform_v1beta1.types import PipelineState
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import THE_CLOUD
from localcloud.core.cloud import Cloud
from localcloud.core.permissions.accounts import compute_account
from localcloud.services.iam.acting import check_act_as
from localcloud.services.pipelines.job import KFP_LOCATION
from localcloud.services.pipelines.pipeline_spec import check_components, check_parameters, check_spec
from localcloud.services.pipelines.read_mask import masked
from localcloud.services.pipelines.request_fields import check_resource_names, set_template_version

# From `CreatePipelineJobRequest.pipeline_job_id`, and the SDK's check of it.
_JOB_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
_PARENT = re.compile(r"projects/[^/]+/locations/[a-z0-9-]+")
_BUCKET = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(/.*)?")
# https://cloud.google.com/resource-manager/docs/labels-overview#requirements, lower-case letters of any language.
_LABEL = re.compile(r"[\w-]{0,63}")
_MOST_LABELS = 64
_LONGEST_DISPLAY_NAME = 128
_STORAGE_SECONDS = 30
# Fields that Vertex AI sets itself.
_BILLING_LABEL = "vertex-ai-pipelines-run-billing-id"

# Fields of a job that a client may set; the service sets the rest.
_REQUEST_FIELDS = (
    "display_name",
    "pipeline_spec",
    "labels",
    "runtime_config",
    "encryption_spec",
    "service_account",
    "network",
    "reserved_ip_ranges",
    "psc_interface_config",
    "template_uri",
    "preflight_validations",
)


def requested_job(request: Any, cloud: Cloud, *, components: bool = True) -> Any:
    """The job to create. Raises ApiError for a request that the service refuses.

    `components`: whether every component must have its executor and every task its component. A schedule is created
    without them (recorded in 2026); the run that it starts fails.
    """
    if not _PARENT.fullmatch(request.parent):
        raise _refusal(f"parent has to be projects/PROJECT/locations/LOCATION, but is {request.parent!r}.")
    job = masked(request.pipeline_job, FieldMask(paths=_REQUEST_FIELDS))
    _check_texts(job)
    check_resource_names(job)
    _check_runtime(job, cloud, components)
    set_template_version(job, cloud)
    job.name = f"{cloud.canonical(request.parent)}/pipelineJobs/{_job_id(request, job, cloud)}"
    job.display_name = job.display_name or job.name.rpartition("/")[2]
    job.create_time.CopyFrom(cloud.timestamp())
    job.update_time.CopyFrom(job.create_time)
    job.state = PipelineState.PIPELINE_STATE_PENDING
    if not request.parent.endswith(f"/{KFP_LOCATION}"):
        job.service_account = job.service_account or compute_account(cloud, request.parent.split("/")[1])
        check_act_as(cloud, job.service_account)
    job.labels[_BILLING_LABEL] = cloud.ids.numeric()
    return job


def _check_texts(job: Any) -> None:
    if len(job.display_name) > _LONGEST_DISPLAY_NAME:
        raise _refusal(f"pipelineJob.displayName has more than {_LONGEST_DISPLAY_NAME} characters.")
    if len(job.labels) > _MOST_LABELS:
        raise _refusal(f"pipelineJob.labels has more than {_MOST_LABELS} entries.")
    for key, value in job.labels.items():
        if not key[:1].isalpha() or any(not _LABEL.fullmatch(text) or text != text.lower() for text in (key, value)):
            raise _refusal(
                f"pipelineJob.labels: {key!r}: {value!r} is not allowed; use lower-case letters, digits, - and _, "
                "at most 63, and a letter first in the key."
            )


def _check_runtime(job: Any, cloud: Cloud, components: bool) -> None:
    spec = json_format.MessageToDict(job.pipeline_spec)
    check_spec(spec)
    if components:
        check_components(spec)
    if job.runtime_config.parameters:
        raise _refusal("runtimeConfig.parameters is of KFP 1.8; give runtimeConfig.parameterValues.")
    if job.runtime_config.input_artifacts:
        raise _refusal("runtimeConfig.inputArtifacts names artifacts of a metadata store; a job here reads none.")
    check_parameters(spec, json_format.MessageToDict(job.runtime_config).get("parameterValues", {}))
    directory = job.runtime_config.gcs_output_directory
    bucket = _BUCKET.fullmatch(directory)
    if bucket is None:
        raise _refusal(
            f"runtimeConfig.gcsOutputDirectory has to be gs://BUCKET or a folder in it, but is {directory!r}."
        )
    if not _bucket_exists(bucket.group(1), cloud):
        raise ApiError(
            "FAILED_PRECONDITION", f"runtimeConfig.gcsOutputDirectory: there is no bucket {bucket.group(1)}."
        )


def _job_id(request: Any, job: Any, cloud: Cloud) -> str:
    job_id = request.pipeline_job_id
    if not job_id:
        stamp = cloud.clock().strftime("%Y%m%d%H%M%S")
        pipeline_name = re.sub("[^-0-9a-z]+", "-", job.pipeline_spec["pipelineInfo"]["name"].lower()).strip("-")
        return f"{pipeline_name}-{stamp}-{cloud.ids.numeric(6)}"
    if not _JOB_ID.fullmatch(job_id):
        raise _refusal(f"pipelineJobId has to match [a-z][-a-z0-9]{{0,127}}, but is {job_id!r}.")
    return str(job_id)


def _bucket_exists(bucket: str, cloud: Cloud) -> bool:
    url = f"http://127.0.0.1:{cloud.ports.storage}/storage/v1/b/{quote(bucket)}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {cloud.token_of(THE_CLOUD)}"})
    try:
        with direct.open(asked, timeout=_STORAGE_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise ApiError("UNAVAILABLE", f"Cloud Storage answered {error.code} for the bucket {bucket}.") from error


def _refusal(message: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", message)
