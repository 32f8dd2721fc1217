"""Step: an endpoint that exists, as an artifact that other steps take."""

from google_cloud_pipeline_components.types.artifact_types import VertexEndpoint
from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def find_endpoint(endpoint_name: str, endpoint: dsl.Output[VertexEndpoint]) -> None:
    """Look the endpoint up; a missing endpoint, or one without a deployed model, is an error.

    Args:
        endpoint_name: projects/P/locations/REGION/endpoints/ID.
        endpoint: The Endpoint.
    """
    from vertex_vllm.steps import step
    from vertex_vllm.vertex_ai.endpoints import require_serving

    with step():
        found = require_serving(endpoint_name)
        endpoint.uri = f"https://{found.host}/v1/{found}"
        endpoint.metadata["resourceName"] = str(found)
