"""The three kinds of nodes in a metadata store: what their messages are called, and which schemas they may have."""

from dataclasses import dataclass
from typing import Any

from google.cloud.aiplatform_v1beta1.types import (
    Artifact,
    Context,
    Execution,
    ListArtifactsResponse,
    ListContextsResponse,
    ListExecutionsResponse,
)

from localcloud.core.store import Kind

_UPDATABLE = frozenset({"display_name", "description", "labels", "metadata", "schema_title", "schema_version"})
_ATTRIBUTES = frozenset({"name", "display_name", "schema_title", "create_time", "update_time"})


@dataclass(frozen=True)
class NodeKind:
    """A kind of nodes, and what the methods that create, get, list, update and delete it differ in."""

    noun: str
    """As in `CreateContext`."""
    kind: Kind[Any]
    listed: type
    """Response of its list method."""
    schemas: frozenset[str]
    """Titles of the schemas that a node of this kind may have."""
    updatable: frozenset[str]
    attributes: frozenset[str]
    """Fields that a filter may name, by the comments on the list requests."""

    @property
    def field(self) -> str:
        """Of the requests: `context`; its id is in `context_id`."""
        return self.noun.lower()

    @property
    def collection(self) -> str:
        return f"{self.field}s"


# Schemas: google-cloud-aiplatform 1.165.1, `metadata/schema/` and `metadata/constants.py`; those of pipelines: KFP
# 2.17's artifact types and google-cloud-pipeline-components 2.22's `artifact_types.py`. Schemas of one's own are not
# carried out here.
CONTEXT = NodeKind(
    "Context",
    Kind("metadata context", Context.pb()),
    ListContextsResponse.pb(),
    frozenset({"system.Experiment", "system.ExperimentRun", "system.Pipeline", "system.PipelineRun"}),
    _UPDATABLE,
    _ATTRIBUTES,
)
EXECUTION = NodeKind(
    "Execution",
    Kind("metadata execution", Execution.pb()),
    ListExecutionsResponse.pb(),
    frozenset({"system.Run", "system.ContainerExecution", "system.CustomJobExecution", "system.DagExecution"}),
    _UPDATABLE | {"state"},
    _ATTRIBUTES | {"state"},
)
ARTIFACT = NodeKind(
    "Artifact",
    Kind("metadata artifact", Artifact.pb()),
    ListArtifactsResponse.pb(),
    frozenset(
        {
            *("system.Artifact", "system.Dataset", "system.Model", "system.Metrics", "system.HTML", "system.Markdown"),
            *("system.ClassificationMetrics", "system.SlicedClassificationMetrics"),
            *("google.ClassificationMetrics", "google.RegressionMetrics", "google.ForecastingMetrics"),
            *("google.ExperimentModel", "google.UnmanagedContainerModel", "google.VertexTensorboardRun"),
            *("google.VertexDataset", "google.VertexEndpoint", "google.VertexModel", "google.VertexBatchPredictionJob"),
        }
    ),
    _UPDATABLE | {"state", "uri"},
    _ATTRIBUTES | {"state", "uri"},
)
