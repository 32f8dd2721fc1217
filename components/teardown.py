"""Step: undeploys and deletes the resources of a deployment, or of one of its runs."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def teardown(project: str, region: str, fallbacks: list, deployment: str, run_id: str, delete_prefix: str) -> None:
    """Find endpoints and models by their labels and delete them; what is already gone counts as deleted.

    Args:
        project: Project id.
        region: Region of the resources.
        fallbacks: REGION/MACHINE_TYPE that the run may have deployed to instead.
        deployment: Name of the deployment.
        run_id: Name of the pipeline job whose resources are deleted; empty: all resources of the deployment.
        delete_prefix: gs:// prefix that is deleted too; empty: none.
    """
    from vertex_vllm.lifecycle.teardown import teardown
    from vertex_vllm.project_names import regions_of
    from vertex_vllm.steps import step

    with step():
        teardown(project, region, deployment, run_id, delete_prefix, also_in=regions_of(fallbacks))
