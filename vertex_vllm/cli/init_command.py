"""`vertex-vllm init FOLDER MODEL…`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.next_steps import say_next
from vertex_vllm.cli.terminal import say
from vertex_vllm.errors import InputError

if TYPE_CHECKING:
    from vertex_vllm.planning.plan import ServingPlan

_PROJECT = "my-project"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, required=True, metavar="MODEL…")
@click.option("--project", default="", help="Project id, for the commands in the README.")
@click.option("--region", default="us-central1", show_default=True, help="Region of the deployments.")
@click.option(
    "--hf-token-secret", default="hf-token", show_default=True, help="Secret that gated models are read with."
)
def init(folder: Path, models: tuple[str, ...], project: str, region: str, hf_token_secret: str) -> None:
    """Begin a repository of configs in FOLDER: a planned, commented config for each MODEL of the Hugging Face Hub.

    With a workflow for GitHub that plans and deploys changes, a README and the schema for editors. FOLDER must be new
    or empty. Nothing is written where a model cannot be planned.

    Example: vertex-vllm init my-models Qwen/Qwen2.5-7B-Instruct
    """
    from vertex_vllm.cli.init_files import WORKFLOW_PATH, readme_text, workflow_text
    from vertex_vllm.cli.place import named_regions
    from vertex_vllm.config.schema import schema_text

    named_regions((region,))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("exists and is not empty", where=str(folder), fix="Name a new folder")
    configs = {f"configs/{name}.yaml": text for name, text in _configs(models, region, hf_token_secret).items()}
    files = {
        **configs,
        "configs/deployment.schema.json": schema_text(),
        WORKFLOW_PATH: workflow_text(),
        "README.md": readme_text(list(configs), project or _PROJECT, region),
        ".gitignore": ".local-cloud/\nreports/\n",
    }
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"cannot be written: {error.strerror}", where=str(path), fix="Name another folder"
            ) from error
        say(path)
    first, where = next(iter(configs)), ("--project", project or _PROJECT)
    say(f"\nIn {folder}:", err=True)
    say_next(
        ("the plan: machine, price, context, and why", ("plan", first)),
        ("once for a project: APIs, accounts, buckets, image", ("bootstrap", *where, "--region", region)),
        ("deploy, test and evaluate it", ("submit", first, *where, "--wait")),
    )


def _configs(models: tuple[str, ...], region: str, secret: str) -> dict[str, str]:
    """Deployment → text of its config. Raises InputError for two models of one name, PlanError."""
    from vertex_vllm.cli.init_files import config_text
    from vertex_vllm.config import parse_deployment

    texts: dict[str, str] = {}
    for model_id in models:
        plan, gated = _planned(model_id, region)
        if plan.deployment in texts:
            raise InputError(f"two models would be deployed as {plan.deployment}", where=model_id, fix="Leave one out")
        texts[plan.deployment] = config_text(plan, secret if gated else "")
        parse_deployment(texts[plan.deployment], f"configs/{plan.deployment}.yaml")
    return texts


def _planned(model_id: str, region: str) -> "tuple[ServingPlan, bool]":
    """The plan, and whether the model is gated: from the catalogue, else from the Hub."""
    from vertex_vllm.catalog import Missing, load_catalog
    from vertex_vllm.cli.init_files import deployment_name
    from vertex_vllm.config import Deployment
    from vertex_vllm.hub.access import check_access
    from vertex_vllm.hub.hub_names import check_model_id
    from vertex_vllm.hub.repository_facts import read_facts
    from vertex_vllm.planning.planner import plan_serving

    check_model_id(model_id)
    catalog = load_catalog()
    asked = {"name": deployment_name(model_id), "model": {"id": model_id}, "google_cloud": {"region": region}}
    recorded = catalog.facts(model_id)
    if isinstance(recorded, Missing):
        facts = read_facts(model_id, check_access(model_id, "", None).commit, None)
    else:
        facts = recorded
    return plan_serving(facts, Deployment.model_validate(asked), catalog), facts.gated
