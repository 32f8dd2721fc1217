"""Step: deploys the Model to an Endpoint. The only step that rents accelerators."""

from google_cloud_pipeline_components.types.artifact_types import VertexEndpoint, VertexModel
from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def deploy_model(
    project: str,
    run: str,
    run_id: str,
    run_started: str,
    owner: str,
    ttl: str,
    serving_service_account: str,
    model_uri: str,
    manifest: dsl.Input[dsl.Artifact],
    plan: dsl.Input[dsl.Artifact],
    model: dsl.Input[VertexModel],
    endpoint: dsl.Output[VertexEndpoint],
    served: dsl.Output[VertexModel],
    attempts: dsl.Output[dsl.Artifact],
    diagnosis: dsl.Output[dsl.Artifact],
    diagnosis_page: dsl.Output[dsl.HTML],
    gcp_resources: dsl.OutputPath(str),
) -> str:
    """Create or find the config's Endpoint, deploy the Model there, and wait; out of stock, try the next fallback.

    A cancelled or late deploy is undone.

    Args:
        project: Project id.
        run: Pipeline job, projects/P/locations/REGION/pipelineJobs/ID: its cancellation ends the step.
        run_id: Name of the pipeline job, for the labels.
        run_started: Creation time of the pipeline job, ISO 8601: the time to live begins then.
        owner: Team or person who answers for the deployment, for the labels.
        ttl: Lifetime of all that the run creates; empty: for ever.
        serving_service_account: Runs the container; empty: bootstrap's, vertex-vllm-serving.
        model_uri: gs:// prefix of the weights.
        manifest: The files that the mirror verified there: any other object stops the run.
        plan: The serving plan.
        model: The Model version.
        endpoint: The Endpoint that serves it.
        served: The Model version that the Endpoint serves: another version after a fallback.
        attempts: The places without free machines, JSON.
        diagnosis: Why the container did not start, JSON; empty if it started.
        diagnosis_page: The diagnosis as an HTML page.
        gcp_resources: The deploy operation, as the console expects it.

    Returns:
        The Endpoint's resource name.
    """
    from pathlib import Path

    from vertex_vllm.config.expiry import expiry
    from vertex_vllm.diagnosis.failed_step import diagnosed
    from vertex_vllm.google.regional_hosts import vertex_ai_host
    from vertex_vllm.labels import Owner
    from vertex_vllm.mirror import Manifest, require_whole
    from vertex_vllm.planning.plan import ServingPlan
    from vertex_vllm.serving.fallbacks import attempts_json, deploy_with_fallbacks
    from vertex_vllm.steps import step
    from vertex_vllm.vertex_ai.gcp_resources import record_operation

    with step(run):
        require_whole(Manifest.from_json(Path(manifest.path).read_text()), project)
        serving_plan = ServingPlan.from_json(Path(plan.path).read_text())
        Path(gcp_resources).write_text("")
        Path(attempts.path).write_text(attempts_json(()))
        with diagnosed(diagnosis.path, diagnosis_page.path, run, start_seconds=serving_plan.start_seconds):
            deployed = deploy_with_fallbacks(
                project,
                serving_plan,
                model.metadata["resourceName"],
                model_uri,
                Owner(serving_plan.deployment, run_id, serving_plan.config_hash, owner, expiry(ttl, run_started)),
                serving_service_account,
                deadline_seconds=serving_plan.deployment_timeout_seconds,
                on_operation=record_operation(Path(gcp_resources)),
                on_attempt=lambda so_far: Path(attempts.path).write_text(attempts_json(so_far)),
            )
        address = f"https://{vertex_ai_host(deployed.plan.region)}/v1"
        endpoint.uri, served.uri = f"{address}/{deployed.endpoint}", f"{address}/{deployed.model}"
        endpoint.metadata["resourceName"] = deployed.endpoint
        served.metadata["resourceName"] = deployed.model
        attempts.metadata["refused"] = len(deployed.attempts)
        return deployed.endpoint
