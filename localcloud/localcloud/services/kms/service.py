"""Registration of Cloud KMS."""

from localcloud.core.registration import Host, Registration
from localcloud.services.kms import key_policies, keys

SERVICE = Registration(
    api="kms",
    hosts=(Host("cloudkms.googleapis.com", grpc=True),),
    packages=("google.cloud.kms_v1",),
    handlers=(keys.service, key_policies.service),
)
