"""Exit handler: deletes everything that the run created, unless it succeeded and keeps its endpoint."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def teardown_run(
    project: str,
    region: str,
    fallbacks: list,
    bucket: str,
    deployment: str,
    run_id: str,
    keep_endpoint: bool,
    status: dsl.PipelineTaskFinalStatus,
) -> None:
    """Tear down what this run created, unless it succeeded and keeps its endpoint; then release the lock.

    Args:
        project: Project id.
        region: Region of the resources.
        fallbacks: REGION/MACHINE_TYPE that the run may have deployed to instead.
        bucket: Bucket that holds the deployment's lock; empty: <project>-vertex-vllm-<region>.
        deployment: Name of the deployment.
        run_id: Name of the pipeline job.
        keep_endpoint: Keep the endpoint when the run succeeds.
        status: How the run ended.
    """
    from vertex_vllm.lifecycle.run_end import end_run
    from vertex_vllm.project_names import default_bucket, regions_of
    from vertex_vllm.steps import step

    with step():
        # SUCCEEDED on Vertex AI and on Kubeflow Pipelines; COMPLETE on older versions of Kubeflow Pipelines.
        stays = keep_endpoint and status.state in ("SUCCEEDED", "COMPLETE")
        held_in = bucket or default_bucket(project, region)
        end_run(project, region, held_in, deployment, run_id, stays=stays, also_in=regions_of(fallbacks))
