"""Step: creates or checks the project's bucket in the region, which the serving service account may read."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def setup_bucket(
    project: str, region: str, bucket: str, deployment: str, run_id: str, serving_service_account: str, owner: str
) -> str:
    """Create the bucket, or verify that the existing one is in the region and in this project.

    Args:
        project: Project id.
        region: Region of the bucket and of everything else.
        bucket: Bucket name without gs://; empty: <project>-vertex-vllm-<region>.
        deployment: Name of the deployment, for the bucket's labels.
        run_id: Name of the pipeline job, for the bucket's labels.
        serving_service_account: Gets read access to this bucket; empty: bootstrap's, vertex-vllm-serving.
        owner: Team or person who answers for the deployment, for the bucket's labels.

    Returns:
        The bucket's name.
    """
    from vertex_vllm.google import deployment_bucket
    from vertex_vllm.labels import Owner
    from vertex_vllm.project_names import default_bucket
    from vertex_vllm.steps import step

    with step():
        name = bucket or default_bucket(project, region)
        made_by = Owner(deployment, run_id, responsible=owner)
        deployment_bucket.setup_bucket(project, region, name, made_by, serving_service_account)
        return name
