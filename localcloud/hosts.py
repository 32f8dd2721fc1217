"""Which host is answered by what: the one table that the proxy and the HTTP server go by."""

import fnmatch
from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    host: str
    """A pattern as in `fnmatch`."""
    app: str
    """A name in `API_PACKAGES` or one of "storage", "hub", "identity", "iam" and "kfp-registry"."""
    grpc: bool = False
    """Whether a client may also speak gRPC to it."""


ROUTES = (
    Route("aiplatform.googleapis.com", "vertex", grpc=True),
    Route("*-aiplatform.googleapis.com", "vertex", grpc=True),
    Route("*.prediction.vertexai.goog", "vertex", grpc=True),
    Route("secretmanager.googleapis.com", "secret-manager", grpc=True),
    Route("cloudquotas.googleapis.com", "cloud-quotas", grpc=True),
    Route("cloudresourcemanager.googleapis.com", "resource-manager", grpc=True),
    Route("artifactregistry.googleapis.com", "artifact-registry", grpc=True),
    Route("serviceusage.googleapis.com", "service-usage", grpc=True),
    Route("cloudbuild.googleapis.com", "cloud-build", grpc=True),
    Route("logging.googleapis.com", "logging", grpc=True),
    Route("cloudkms.googleapis.com", "kms", grpc=True),
    Route("iam.googleapis.com", "iam"),
    Route("*-kfp.pkg.dev", "kfp-registry"),
    Route("oauth2.googleapis.com", "identity"),
    Route("iamcredentials.googleapis.com", "identity"),
    Route("sts.googleapis.com", "identity"),
    Route("storage.googleapis.com", "storage"),
    Route("*.storage.googleapis.com", "storage"),
    Route("huggingface.co", "hub"),
    Route("cdn-lfs.hf.co", "hub"),
)

# The installed GAPIC packages that say what an API's methods, messages and HTTP rules are.
API_PACKAGES = {
    "vertex": ("google.cloud.aiplatform_v1", "google.cloud.aiplatform_v1beta1"),
    "secret-manager": ("google.cloud.secretmanager_v1",),
    "cloud-quotas": ("google.cloud.cloudquotas_v1",),
    "resource-manager": ("google.cloud.resourcemanager_v3",),
    "service-usage": ("google.cloud.service_usage_v1",),
    "artifact-registry": ("google.cloud.artifactregistry_v1",),
    "logging": ("google.cloud.logging_v2",),
    "kms": ("google.cloud.kms_v1",),
    "cloud-build": ("google.cloud.devtools.cloudbuild_v1",),
}


def route_of(host: str) -> Route | None:
    """`host` without a port, in any case."""
    return next((route for route in ROUTES if fnmatch.fnmatchcase(host.lower(), route.host)), None)
