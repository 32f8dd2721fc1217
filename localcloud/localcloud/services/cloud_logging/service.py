"""Registration of Cloud Logging."""

from localcloud.core.registration import Host, Registration
from localcloud.services.cloud_logging import log_entries

SERVICE = Registration(
    api="logging",
    hosts=(Host("logging.googleapis.com", grpc=True),),
    packages=("google.cloud.logging_v2",),
    handlers=(log_entries.service,),
)
