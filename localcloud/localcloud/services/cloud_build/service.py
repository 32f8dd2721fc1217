"""Registration of Cloud Build."""

from localcloud.core.registration import Host, Registration
from localcloud.services.cloud_build import builds

SERVICE = Registration(
    api="cloud-build",
    hosts=(Host("cloudbuild.googleapis.com", grpc=True),),
    packages=("google.cloud.devtools.cloudbuild_v1",),
    handlers=(builds.service,),
    parts=(builds.InterruptedBuilds,),
)
