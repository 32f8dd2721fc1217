"""Pipeline: undeploy and delete what a deployment, or one of its runs, made."""

from kfp import dsl

from components.teardown import teardown as teardown_step


@dsl.pipeline(name="teardown", description="Undeploy and delete what a deployment, or one of its runs, made.")
def teardown(
    project: str, deployment: str, region: str = "us-central1", run_id: str = "", delete_prefix: str = ""
) -> None:
    teardown_step(
        project=project, region=region, deployment=deployment, run_id=run_id, delete_prefix=delete_prefix
    ).set_caching_options(False)
