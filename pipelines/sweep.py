"""Pipeline: remove expired and abandoned resources of a whole project."""

from kfp import dsl

from components.sweep import sweep as sweep_step


# Parameters project to dry_run: written by `make compile` from vertex_vllm/config/deployment.py.
@dsl.pipeline(name="sweep")
def sweep(
    project: str,
    regions: list = [],
    deployments: list = [],
    dry_run: bool = True,
) -> None:
    """Remove expired resources, and those of runs that ended without their exit handler.

    Args:
        project: Project id.
        regions: Regions to sweep; empty: all regions of the catalogue.
        deployments: Deployments that have a config: resources of others are removed, too. Empty: others are left.
        dry_run: Only list what would be removed.
    """
    sweep_step(
        project=project,
        run_started=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
        regions=regions,
        deployments=deployments,
        dry_run=dry_run,
    ).set_caching_options(False)
