"""The file from which the console shows the operation that a step waits for."""

import json
from pathlib import Path

from google.protobuf import json_format
from google_cloud_pipeline_components.proto.gcp_resources_pb2 import GcpResources

from vertex_vllm.vertex_ai.gcp_resources import record_operation

OPERATION = "projects/123/locations/us-central1/endpoints/vllm-demo/operations/456"


def test_the_operation_is_written_as_googles_own_components_write_it(tmp_path: Path) -> None:
    path = tmp_path / "gcp_resources" / "output"
    record_operation(path)(OPERATION)
    read = json_format.Parse(path.read_text(), GcpResources())
    assert read == GcpResources(
        resources=[
            GcpResources.Resource(
                resource_type="VertexLro",
                resource_uri=f"https://us-central1-aiplatform.googleapis.com/v1/{OPERATION}",
            )
        ]
    )
    assert list(json.loads(path.read_text())) == ["resources"]
