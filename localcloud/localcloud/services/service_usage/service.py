"""Registration of Service Usage: v1, and the service identities of v1beta1."""

from localcloud.core.registration import Host, Registration
from localcloud.services.service_usage import apis, service_identities

SERVICE = Registration(
    api="service-usage",
    hosts=(Host("serviceusage.googleapis.com", grpc=True),),
    packages=("google.cloud.service_usage_v1",),
    handlers=(apis.service,),
    routes=service_identities.ROUTES,
)
