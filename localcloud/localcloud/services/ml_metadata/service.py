"""Registration of Vertex ML Metadata, a part of the API of Vertex AI."""

from localcloud.core.registration import Registration
from localcloud.services.ml_metadata import metadata_lineage, metadata_nodes, metadata_stores

SERVICE = Registration(
    api="vertex", handlers=(metadata_stores.service, metadata_nodes.service, metadata_lineage.service)
)
