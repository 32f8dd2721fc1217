"""Registration of Secret Manager."""

from localcloud.core.registration import Host, Registration
from localcloud.services.secret_manager import secrets

SERVICE = Registration(
    api="secret-manager",
    hosts=(Host("secretmanager.googleapis.com", grpc=True),),
    packages=("google.cloud.secretmanager_v1",),
    handlers=(secrets.service,),
)
