"""Registration of Resource Manager: v3, and v1 beside it."""

from localcloud.core.registration import Host, Registration
from localcloud.services.resource_manager import projects, projects_v1

SERVICE = Registration(
    api="resource-manager",
    hosts=(Host("cloudresourcemanager.googleapis.com", grpc=True),),
    packages=("google.cloud.resourcemanager_v3",),
    handlers=(projects.service,),
    routes=projects_v1.ROUTES,
)
