"""Step: promotes the endpoint, which callers of the deployment then use."""

from google_cloud_pipeline_components.types.artifact_types import VertexEndpoint, VertexModel
from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def promote_endpoint(
    project: str,
    region: str,
    fallbacks: list,
    deployment: str,
    run_id: str,
    manifest: dsl.Input[dsl.Artifact],
    model: dsl.Input[VertexModel],
    endpoint: dsl.Input[VertexEndpoint],
) -> None:
    """Label the Endpoint live and the deployment's others superseded; give the Model version the alias live.

    Args:
        project: Project id.
        region: Region of the deployment.
        fallbacks: REGION/MACHINE_TYPE that it may have been deployed to instead.
        deployment: Name of the deployment.
        run_id: Name of the pipeline job.
        manifest: The files that the mirror verified: weights that changed while they were loaded are not promoted.
        model: The Model version.
        endpoint: The Endpoint.
    """
    from pathlib import Path

    from vertex_vllm.evaluation.evaluated_run import promote_result
    from vertex_vllm.labels import Owner
    from vertex_vllm.lifecycle.promotion import promote_endpoint
    from vertex_vllm.mirror import Manifest, require_whole
    from vertex_vllm.project_names import regions_of
    from vertex_vllm.steps import step

    with step():
        require_whole(mirrored := Manifest.from_json(Path(manifest.path).read_text()), project)
        promote_endpoint(
            project,
            region,
            endpoint.metadata["resourceName"],
            model.metadata["resourceName"],
            Owner(deployment, run_id),
            also_in=regions_of(fallbacks),
        )
        promote_result(endpoint.metadata["resourceName"], mirrored.uri, deployment, run_id)
