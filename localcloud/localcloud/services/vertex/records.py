"""Kinds of stored records of Vertex AI. Names contain the project's number."""

from google.cloud.aiplatform_v1beta1.types import DeployedModel, Endpoint, Model, ModelEvaluation

from localcloud.core.cloud import Cloud
from localcloud.core.store import Kind

MODELS = Kind("model", Model.pb())
"""Fields that all versions of a model share. Named like the model."""

MODEL_VERSIONS = Kind("model version", Model.pb())
"""Named `<model>/versions/<version id>`."""

MODEL_EVALUATIONS = Kind("model evaluation", ModelEvaluation.pb())
"""Named `<model>/versions/<version id>/evaluations/<id>`."""

ENDPOINTS = Kind("endpoint", Endpoint.pb())

PENDING_DEPLOYMENTS = Kind("pending deployment", DeployedModel.pb())
"""A model that an operation is deploying: not yet in its endpoint, but it counts for quota and uses its model.

Named `<endpoint>/deployedModels/<deployed model id>`.
"""


def deployed_models(cloud: Cloud, parent: str) -> list[tuple[str, DeployedModel]]:
    """(endpoint name, raw DeployedModel) of all models that are deployed below `parent`."""
    endpoints = cloud.store.list(ENDPOINTS, parent)
    return [(endpoint.name, deployed) for endpoint in endpoints for deployed in endpoint.deployed_models]


def pending_deployments(cloud: Cloud, parent: str) -> list[tuple[str, DeployedModel]]:
    """(endpoint name, raw DeployedModel) of all models that are being deployed below `parent`."""
    pending = cloud.store.items(PENDING_DEPLOYMENTS, parent)
    return [(name.partition("/deployedModels/")[0], deployed) for name, deployed in pending]
