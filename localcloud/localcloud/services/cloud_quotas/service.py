"""Registration of Cloud Quotas."""

from localcloud.core.registration import Host, Registration
from localcloud.services.cloud_quotas import quota_preferences, quotas

SERVICE = Registration(
    api="cloud-quotas",
    hosts=(Host("cloudquotas.googleapis.com", grpc=True),),
    packages=("google.cloud.cloudquotas_v1", "google.cloud.cloudquotas_v1beta"),
    handlers=(quotas.service, quota_preferences.service),
)
