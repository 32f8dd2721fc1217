"""Pipeline: undeploys and deletes the resources of a deployment, or of one of its runs."""

from kfp import dsl

from components.teardown import teardown as teardown_step


# Parameters project to delete_prefix: written by `make compile` from vertex_vllm/config/deployment.py.
@dsl.pipeline(name="teardown")
def teardown(
    project: str,
    deployment: str,
    region: str = "us-central1",
    fallbacks: list = [],
    run_id: str = "",
    delete_prefix: str = "",
) -> None:
    """Undeploy and delete the resources of a deployment, or of one of its runs.

    Args:
        project: Project id.
        deployment: Name of the deployment: in names and labels of all that its runs create.
        region: Region of endpoint, model and bucket.
        fallbacks: REGION/MACHINE_TYPE to deploy to, in this order, when the machine is out of stock.
        run_id: Pipeline job whose endpoint and model are deleted; empty: all of the deployment.
        delete_prefix: gs:// prefix that is deleted too, weights for example; empty: none.
    """
    teardown_step(
        project=project,
        region=region,
        fallbacks=fallbacks,
        deployment=deployment,
        run_id=run_id,
        delete_prefix=delete_prefix,
    ).set_caching_options(False)
