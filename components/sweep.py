"""Step: remove what expired, what a dead run left, and on request what no config stands for."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def sweep(
    project: str, run_started: str, regions: list, deployments: list, dry_run: bool, report: dsl.Output[dsl.Artifact]
) -> None:
    """Go through all that carries vertex-vllm's labels, by labels alone; fail when something due is still there.

    Args:
        project: Project id.
        run_started: When the pipeline job was created, ISO 8601: what expired before is removed.
        regions: Regions to sweep; empty: all that the catalogue knows.
        deployments: Names that have a config; what belongs to none of them is removed. Empty: none is.
        dry_run: Only list what would be removed.
        report: What was found and what came of it, JSON.
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
