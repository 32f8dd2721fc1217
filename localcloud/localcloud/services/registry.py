"""The services of the local cloud, in the order in which they start: a line for each folder beside this file."""

from localcloud.services.artifact_analysis.service import SERVICE as ARTIFACT_ANALYSIS
from localcloud.services.artifact_registry.service import SERVICE as ARTIFACT_REGISTRY
from localcloud.services.cloud_build.service import SERVICE as CLOUD_BUILD
from localcloud.services.cloud_logging.service import SERVICE as CLOUD_LOGGING
from localcloud.services.cloud_quotas.service import SERVICE as CLOUD_QUOTAS
from localcloud.services.docker_registry.service import SERVICE as DOCKER_REGISTRY
from localcloud.services.hub.service import SERVICE as HUB
from localcloud.services.iam.service import SERVICE as IAM
from localcloud.services.identity.service import SERVICE as IDENTITY
from localcloud.services.kfp_registry.service import SERVICE as KFP_REGISTRY
from localcloud.services.kms.service import SERVICE as KMS
from localcloud.services.metadata.service import SERVICE as METADATA
from localcloud.services.ml_metadata.service import SERVICE as ML_METADATA
from localcloud.services.operations.service import SERVICE as OPERATIONS
from localcloud.services.pipelines.service import SERVICE as PIPELINES
from localcloud.services.resource_manager.service import SERVICE as RESOURCE_MANAGER
from localcloud.services.secret_manager.service import SERVICE as SECRET_MANAGER
from localcloud.services.service_usage.service import SERVICE as SERVICE_USAGE
from localcloud.services.storage.service import SERVICE as STORAGE
from localcloud.services.vertex.service import SERVICE as VERTEX

SERVICES = (
    *(STORAGE, HUB, METADATA, IDENTITY, IAM, KFP_REGISTRY),
    *(OPERATIONS, SECRET_MANAGER, CLOUD_QUOTAS, RESOURCE_MANAGER, SERVICE_USAGE, ARTIFACT_REGISTRY),
    *(ARTIFACT_ANALYSIS, DOCKER_REGISTRY),
    *(CLOUD_BUILD, CLOUD_LOGGING, KMS, ML_METADATA, VERTEX),
    # Last, so that pipelines stop before the endpoints that they use.
    PIPELINES,
)
