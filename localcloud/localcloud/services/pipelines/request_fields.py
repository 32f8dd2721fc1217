"""Fields of a pipeline job that name other resources: checks their form, and looks up a template's version."""

import re
from typing import Any

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.services.artifact_registry.packages import TAGS, VERSIONS, named

# `PipelineJob.network` in pipeline_job.proto: "Format is of the form projects/{project}/global/networks/{network}.
# Where {project} is a project number, as in 12345, and {network} is a network name."
_NETWORK = re.compile(r"projects/\d+/global/networks/[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_KEY = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]*@[a-z0-9.-]+\.gserviceaccount\.com")
# `PipelineTemplateMetadata.version`: "the version_name in artifact registry", "sha256:abcdef123456...".
_TEMPLATE = re.compile(r"https://([a-z0-9-]+)-kfp\.pkg\.dev/([^/]+)/([^/]+)/([^/]+)/([^/]+)")


def check_resource_names(job: Any) -> None:
    """Raises ApiError INVALID_ARGUMENT for the first field that does not name a resource of its kind."""
    if job.network and not _NETWORK.fullmatch(job.network):
        raise _refusal("network", "projects/PROJECT_NUMBER/global/networks/NETWORK", job.network)
    if job.reserved_ip_ranges and not job.network:
        raise ApiError("INVALID_ARGUMENT", "pipelineJob.reservedIpRanges needs pipelineJob.network.")
    key = job.encryption_spec.kms_key_name
    if key and not _KEY.fullmatch(key):
        raise _refusal("encryptionSpec.kmsKeyName", "projects/…/locations/…/keyRings/…/cryptoKeys/…", key)
    if job.service_account and not _ACCOUNT.fullmatch(job.service_account):
        raise _refusal("serviceAccount", "the e-mail address of a service account", job.service_account)


def set_template_version(job: Any, cloud: Cloud) -> None:
    """Sets the version that the template URI or its tag names, for a template in the local cloud's registry."""
    match = _TEMPLATE.fullmatch(job.template_uri)
    if match is None:
        return
    region, project, repository, package, reference = match.groups()
    parent = f"projects/{project}/locations/{region}/repositories/{repository}"
    name = f"{named(cloud, parent)}/packages/{package}"
    tag = cloud.store.get(TAGS, f"{name}/tags/{reference}")
    version = tag.version if tag is not None else f"{name}/versions/{reference}"
    if cloud.store.get(VERSIONS, version) is not None:
        job.template_metadata.version = version.rpartition("/")[2]


def _refusal(field: str, form: str, value: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", f"pipelineJob.{field} has to be {form}, but is {value!r}.")
