"""Step: registers a Vertex AI Model, which says how to serve the mirrored weights."""

from google_cloud_pipeline_components.types.artifact_types import VertexModel
from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def upload_model(
    project: str,
    run_id: str,
    run_started: str,
    owner: str,
    ttl: str,
    signing_key: str,
    model_uri: str,
    manifest: dsl.Input[dsl.Artifact],
    plan: dsl.Input[dsl.Artifact],
    model: dsl.Output[VertexModel],
) -> None:
    """Upload a version of the deployment's Model, or find the one that an earlier run uploaded for the same plan.

    Args:
        project: Project id.
        run_id: Name of the pipeline job, for the labels.
        run_started: Creation time of the pipeline job, ISO 8601: the time to live begins then.
        owner: Team or person who answers for the deployment, for the labels.
        ttl: Lifetime of all that the run creates; empty: for ever.
        signing_key: Cloud KMS key version whose signature the mirror must have; empty: none.
        model_uri: gs:// prefix of the weights.
        manifest: The files that the mirror verified there: any other object stops the run.
        plan: The serving plan.
        model: The Model version.
    """
    from pathlib import Path

    from vertex_vllm.config.expiry import expiry
    from vertex_vllm.google.regional_hosts import vertex_ai_host
    from vertex_vllm.labels import Owner
    from vertex_vllm.mirror import Manifest, require_whole
    from vertex_vllm.mirror.signed_mirror import require_signed
    from vertex_vllm.mirror.signing_keys import signing_key as key_of
    from vertex_vllm.planning.plan import ServingPlan
    from vertex_vllm.serving.upload import upload_model
    from vertex_vllm.steps import step

    with step():
        require_whole(Manifest.from_json(Path(manifest.path).read_text()), project)
        if signing_key:
            require_signed(Manifest.from_json(Path(manifest.path).read_text()), project, key_of(signing_key))
        serving_plan = ServingPlan.from_json(Path(plan.path).read_text())
        made_by = Owner(serving_plan.deployment, run_id, serving_plan.config_hash, owner, expiry(ttl, run_started))
        name = upload_model(project, serving_plan, model_uri, made_by)
        model.uri = f"https://{vertex_ai_host(serving_plan.region)}/v1/{name}"
        model.metadata["resourceName"] = name
