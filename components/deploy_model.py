"""Step: the Model on an Endpoint, answering. The only step that rents accelerators."""

from google_cloud_pipeline_components.types.artifact_types import VertexEndpoint, VertexModel
from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def deploy_model(
    project: str,
    run_id: str,
    serving_service_account: str,
    plan: dsl.Input[dsl.Artifact],
    model: dsl.Input[VertexModel],
    endpoint: dsl.Output[VertexEndpoint],
    gcp_resources: dsl.OutputPath(str),
) -> str:
    """Create or find the config's Endpoint, deploy the Model there, and wait; cancelled or late, it undoes its work.

    Args:
        project: Project id.
        run_id: Name of the pipeline job, for the labels.
        serving_service_account: Runs the container; empty: the Compute Engine default service account.
        plan: The serving plan.
        model: The Model version.
        endpoint: The Endpoint that serves it.
        gcp_resources: The deploy operation, as the console expects it.

    Returns:
        The Endpoint's resource name.
    """
    from pathlib import Path

    from vertex_vllm.lifecycle.ownership import Owner
    from vertex_vllm.planning.plan import ServingPlan
    from vertex_vllm.serving.deploy import deploy_model
    from vertex_vllm.serving.gcp_resources import record_operation
    from vertex_vllm.steps import step

    with step():
        serving_plan = ServingPlan.from_json(Path(plan.path).read_text())
        Path(gcp_resources).write_text("")
        name = deploy_model(
            project,
            serving_plan,
            model.metadata["resourceName"],
            Owner(serving_plan.deployment, run_id, serving_plan.config_hash),
            serving_service_account,
            deadline_seconds=serving_plan.deployment_timeout_seconds,
            on_operation=record_operation(Path(gcp_resources), serving_plan.region),
        )
        endpoint.uri = f"https://{serving_plan.region}-aiplatform.googleapis.com/v1/{name}"
        endpoint.metadata["resourceName"] = name
        return name
