"""Step: deletes expired resources, those that a dead run left, and on request those without a config."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def sweep(
    project: str, run_started: str, regions: list, deployments: list, dry_run: bool, report: dsl.Output[dsl.Artifact]
) -> None:
    """Find the resources with vertex-vllm's labels, and delete those that are due; fail when any of them remains.

    Args:
        project: Project id.
        run_started: Creation time of the pipeline job, ISO 8601: resources that expired before it are removed.
        regions: Regions to sweep; empty: all regions of the catalogue.
        deployments: Deployments that have a config: resources of others are removed, too. Empty: others are left.
        dry_run: Only list what would be removed.
        report: The resources that were due, and whether they were removed, JSON.
    """
    from datetime import datetime

    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.lifecycle.sweep import require_clean, sweep
    from vertex_vllm.steps import step, write_artifact

    with step():
        everywhere = regions or load_catalog().regions
        swept = sweep(project, everywhere, deployments, dry_run=dry_run, now=datetime.fromisoformat(run_started))
        print(swept)
        write_artifact(report.path, swept.to_json())
        require_clean(swept)
