"""An importer task: makes an artifact of a URI. The content is copied when a step asks for the artifact's path."""

from collections.abc import Mapping
from typing import Any

from localcloud.services.pipelines.component_command import resolved_constant
from localcloud.services.pipelines.job import ArtifactRecord
from localcloud.services.pipelines.values import integral


def imported(importer: Mapping[str, Any], told: Any, records: Mapping[str, ArtifactRecord]) -> dict[str, Any]:
    """The single output of an importer. Raises ValueError if the importer has no URI."""
    parameters = told["inputs"]["parameterValues"]
    source = importer.get("artifactUri", {})
    uri = parameters.get(source["runtimeParameter"]) if "runtimeParameter" in source else source.get("constant")
    if isinstance(uri, dict):  # as an older compiler writes a constant
        uri = uri.get("stringValue")
    if not isinstance(uri, str) or not uri:
        raise ValueError(f"the importer's artifact_uri has to be an address, but is {uri!r}")
    metadata = resolved_constant(integral(importer.get("metadata", {})), parameters)
    schema = importer.get("typeSchema", {})
    return {
        name: record.model_copy(
            update={
                "uri": uri,
                "metadata": metadata,
                "schema_title": schema.get("schemaTitle", record.schema_title),
                "schema_version": schema.get("schemaVersion", record.schema_version),
            }
        )
        for name, record in records.items()
    }
