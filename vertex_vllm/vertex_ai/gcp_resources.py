"""The `gcp_resources` output of a step, which tells Vertex AI's console the operation that the step waits for."""

import json
from collections.abc import Callable
from pathlib import Path

from vertex_vllm.google.regional_hosts import vertex_ai_host

RESOURCE_TYPE = "VertexLro"
"""Known to the console; google-cloud-pipeline-components 2.22.0 writes the same for its own deploy step."""


def record_operation(path: Path) -> Callable[[str], None]:
    """A function that writes the name of an operation, `projects/P/locations/REGION/…`, to `path` in that form."""

    def record(operation_name: str) -> None:
        uri = f"https://{vertex_ai_host(operation_name.split('/')[3])}/v1/{operation_name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"resources": [{"resourceType": RESOURCE_TYPE, "resourceUri": uri}]}))

    return record
