"""Exit handler: a run that failed, or was not meant to stay, leaves nothing behind."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def teardown_run(
    project: str,
    region: str,
    fallbacks: list,
    deployment: str,
    run_id: str,
    keep_endpoint: bool,
    status: dsl.PipelineTaskFinalStatus,
) -> None:
    """Tear down what this run made, unless it succeeded and its endpoint is to stay.

    Args:
        project: Project id.
        region: Region of the resources.
        fallbacks: REGION/MACHINE_TYPE that may have been taken instead.
        deployment: Name of the deployment.
        run_id: Name of the pipeline job.
        keep_endpoint: The endpoint stays when the run succeeds.
        status: How the run ended.
    """
    import logging

    from vertex_vllm.config.names import regions_of
    from vertex_vllm.lifecycle.teardown import teardown
    from vertex_vllm.steps import step

    with step():
        if keep_endpoint and status.state == "SUCCEEDED":
            logging.info("The run succeeded: its endpoint stays")
            return
        teardown(project, region, deployment, run_id, also_in=regions_of(fallbacks))
