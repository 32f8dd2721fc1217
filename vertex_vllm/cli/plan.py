"""`vertex-vllm plan CONFIG`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from vertex_vllm.config import Deployment
    from vertex_vllm.planning.facts import ModelFacts


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.option(
    "--hub", is_flag=True, help="Read the repo's own files, also for a model that the catalogue has recorded."
)
@click.option("--explain", is_flag=True, help="Unfold the memory of one accelerator into its terms.")
@click.option("--project", help="Project of the token's secret; default: the config's, then GOOGLE_CLOUD_PROJECT.")
def plan(config: Path, as_json: bool, hub: bool, explain: bool, project: str | None) -> None:
    """Show how a config would be served, and why, without creating anything.

    A model in the catalogue is planned from the facts recorded there, offline; any other from its files on the Hub, as
    the pipeline does for every model.

    Example: vertex-vllm plan configs/llama-3.1-8b-instruct.yaml
    """
    from vertex_vllm.catalog import Missing, load_catalog
    from vertex_vllm.config import load_deployment
    from vertex_vllm.planning.memory.explain import explain_memory
    from vertex_vllm.planning.planner import plan_serving
    from vertex_vllm.planning.render import render_plan

    deployment = load_deployment(config)
    catalog = load_catalog()
    recorded = catalog.facts(deployment.model.id)
    facts = hub_facts(deployment, project) if hub or isinstance(recorded, Missing) else recorded
    decided = plan_serving(facts, deployment, catalog)
    if explain:
        click.echo(explain_memory(decided.memory) if decided.memory else decided.reasons["memory"], nl=False)
        return
    click.echo(decided.to_json() if as_json else render_plan(decided), nl=False)


def hub_facts(deployment: "Deployment", project: str | None) -> "ModelFacts":
    """Facts from the repo's own files at the config's revision."""
    from vertex_vllm.cli.submit import project_of
    from vertex_vllm.config import secret_version_name
    from vertex_vllm.hub import hub_token
    from vertex_vllm.hub.access import check_access
    from vertex_vllm.hub.facts import read_facts

    secret = deployment.hf_token_secret
    token = hub_token(secret_version_name(secret, project_of(deployment, project)) if secret else "")
    commit = check_access(deployment.model.id, deployment.model.revision, token).commit
    return read_facts(deployment.model.id, commit, token)
