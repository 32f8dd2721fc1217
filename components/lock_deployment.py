"""Step: locks the deployment, so that no other run deploys it meanwhile."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def lock_deployment(project: str, bucket: str, deployment: str, run: str) -> None:
    """Write this run into the deployment's lock; wait a little for a run that holds the lock, then fail.

    Args:
        project: Project id.
        bucket: Bucket that holds the lock.
        deployment: Name of the deployment.
        run: Resource name of the pipeline job.
    """
    from vertex_vllm.lifecycle.lock import acquire
    from vertex_vllm.steps import step

    with step():
        acquire(project, bucket, deployment, run)
