"""The permissions that a pipeline job's service account needs before Vertex AI runs the job's first task."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode

from google.protobuf import json_format

from localcloud.core.api_errors import ApiError
from localcloud.core.callers import member_of
from localcloud.core.cloud import Cloud
from localcloud.core.permissions.decisions import has, refusal
from localcloud.services.vertex.container_account import check_pull

# Both refusals end the job, in the words of two reports: googleapis/python-aiplatform#1880 (2023-01-06) and
# statmike/vertex-ai-mlops#60 (2024-05-16).
_PREFIX = "Failed to create pipeline job. Error: "
_METADATA = "aiplatform.metadataStores.get"
_OBJECTS = ("storage.objects.get", "storage.objects.create")
_STORAGE_SECONDS = 30


def missing_rights(cloud: Cloud, job: Any) -> str:
    """Why the job cannot begin; "" if it can. A run of the local Kubeflow Pipelines needs no service account."""
    if not job.service_account:
        return ""
    location = job.name.partition("/pipelineJobs/")[0]
    project, region = cloud.project_id(location.split("/")[1]), location.split("/")[3]
    store = f"projects/{project}/locations/{region}/metadataStores/default"
    if not has(cloud, member_of(job.service_account), _METADATA, store):
        return f"{_PREFIX}{refusal(_METADATA, store).message}."
    bucket = str(job.runtime_config.gcs_output_directory).removeprefix("gs://").partition("/")[0]
    held = _held(cloud, job.service_account, bucket)
    missing = [permission for permission in _OBJECTS if permission not in held]
    if missing:
        return (
            f"{_PREFIX}Service account `{job.service_account}` does not have `[{', '.join(missing)}]` IAM "
            f'permission(s) to the bucket "{bucket}". Please either copy the files to the Google Cloud Storage bucket '
            "owned by your project, or grant the required IAM permission(s) to the service account.."
        )
    return _unpulled(cloud, job)


def _unpulled(cloud: Cloud, job: Any) -> str:
    """Why Vertex AI's service agent cannot pull the image of a task; "" if it can pull all images."""
    executors = json_format.MessageToDict(job.pipeline_spec).get("deploymentSpec", {}).get("executors", {})
    images = {executor["container"]["image"] for executor in executors.values() if "container" in executor}
    for image in sorted(images):
        try:
            check_pull(cloud, job.name.split("/")[1], image)
        except ApiError as error:
            return error.message
    return ""


def _held(cloud: Cloud, account: str, bucket: str) -> list[str]:
    """The permissions on objects that a job needs and that the account has in the bucket."""
    query = urlencode([("permissions", permission) for permission in _OBJECTS])
    request = urllib.request.Request(
        f"http://127.0.0.1:{cloud.ports.storage}/storage/v1/b/{quote(bucket)}/iam/testPermissions?{query}",
        headers={"Authorization": f"Bearer {cloud.token_of(member_of(account))}"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_STORAGE_SECONDS) as answer:
            held: list[str] = json.loads(answer.read())["permissions"]
            return held
    except urllib.error.HTTPError as error:
        if error.code == 404:  # the bucket was just deleted: the tasks will fail and name it
            return list(_OBJECTS)
        raise
