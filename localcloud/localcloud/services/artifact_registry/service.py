"""Registration of Artifact Registry."""

from localcloud.core.registration import Host, Registration
from localcloud.services.artifact_registry import packages, repositories

SERVICE = Registration(
    api="artifact-registry",
    hosts=(Host("artifactregistry.googleapis.com", grpc=True),),
    packages=("google.cloud.artifactregistry_v1",),
    handlers=(repositories.service, packages.service),
)
