"""Registration of Vertex AI: models, endpoints, predictions, custom jobs."""

from localcloud.core.registration import Host, Registration
from localcloud.services.vertex import endpoints, jobs, model_evaluations, models, prediction
from localcloud.services.vertex.replicas import Replicas

_HOSTS = ("aiplatform.googleapis.com", "*-aiplatform.googleapis.com", "*.prediction.vertexai.goog")

SERVICE = Registration(
    api="vertex",
    hosts=tuple(Host(pattern, grpc=True) for pattern in _HOSTS),
    packages=("google.cloud.aiplatform_v1", "google.cloud.aiplatform_v1beta1"),
    handlers=(models.service, model_evaluations.service, endpoints.service, prediction.service, jobs.service),
    routes=prediction.ROUTES,
    parts=(Replicas, endpoints.FlexStart),
)
