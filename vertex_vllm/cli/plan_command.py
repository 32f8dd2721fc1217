"""`vertex-vllm plan CONFIG`"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.collecting import without_collecting
from vertex_vllm.cli.next_steps import say_next
from vertex_vllm.cli.terminal import columns, prose_width, say, say_json

if TYPE_CHECKING:
    from vertex_vllm.catalog import Catalog
    from vertex_vllm.config import Deployment
    from vertex_vllm.model.facts import ModelFacts
    from vertex_vllm.planning.difference import Change, Serving
    from vertex_vllm.planning.headroom import Quotas
    from vertex_vllm.planning.measurement import Measurement
    from vertex_vllm.planning.plan import ServingPlan


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the plan, or the difference, as JSON.")
@click.option(
    "--hub", is_flag=True, help="Read the repo's own files, also for a model that the catalogue has recorded."
)
@click.option("--facts", type=click.Path(path_type=Path), help="Read the model's facts from a file of `facts`.")
@click.option("--quota", is_flag=True, help="Read the project's quotas, and choose where they leave room.")
@click.option("--resolve", is_flag=True, help="Ask the registry what the image's tag points at, as a run does.")
@click.option("--measured", is_flag=True, help="Read what evaluations of the model measured, from the config's bucket.")
@click.option(
    "--throughput",
    "throughput_files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Read measured throughputs from a file; may be given more than once.",
)
@click.option("--explain", is_flag=True, help="Unfold the memory of one accelerator into its terms.")
@click.option(
    "--html", "html_file", type=click.Path(path_type=Path), help="Write the plan as a page, each number unfolded."
)
@click.option(
    "--against",
    type=click.Choice(["deployed"]),
    help="Show what would change on the endpoint that serves the deployment now. Exit code 1: something would.",
)
@click.option("--strict", is_flag=True, help="Exit code 1 when the plan has a warning.")
@click.option("--project", help="Project; default: the config's, then GOOGLE_CLOUD_PROJECT.")
@without_collecting()
def plan(
    config: Path,
    as_json: bool,
    hub: bool,
    facts: Path | None,
    quota: bool,
    resolve: bool,
    measured: bool,
    throughput_files: tuple[Path, ...],
    explain: bool,
    html_file: Path | None,
    against: str | None,
    strict: bool,
    project: str | None,
) -> None:
    """Show how a config would be served, and why, without creating anything.

    A model in the catalogue is planned from the facts recorded there, offline; any other from its files on the Hub, as
    the pipeline does for every model.

    Example: vertex-vllm plan configs/llama-3.1-8b-instruct.yaml
    """
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.config import load_deployment
    from vertex_vllm.planning.planner import plan_serving
    from vertex_vllm.planning.render import render_plan
    from vertex_vllm.planning.throughput import with_throughput

    deployment = load_deployment(config)
    catalog = load_catalog()
    known = model_facts(deployment, catalog, hub, facts, project)
    check_stored_adapters(deployment, known, catalog, project)
    decided = plan_serving(known, deployment, catalog, quotas_of(deployment, catalog, project) if quota else None)
    found = [measurement for file in throughput_files for measurement in throughputs_in(file)]
    if resolve or measured or against:
        # An endpoint and a measurement name the image by its digest.
        decided = _resolved(decided, deployment, project)
    decided = with_throughput(decided, [*found, *(throughputs_of(deployment, project) if measured else ())])
    if html_file:
        from vertex_vllm.planning.plan_page import plan_page

        html_file.write_text(plan_page(decided), encoding="utf-8")
    if against:
        show_difference(decided, deployment, catalog, project, as_json)
    elif explain:
        from vertex_vllm.planning.memory.explain import explain_memory

        say(explain_memory(decided.memory, columns()) if decided.memory else f"{decided.reasons['memory']}\n", nl=False)
    else:
        said = render_plan(decided, prose_width()) + evaluation_row(deployment, project)
        # A suite's faults take the place of the JSON, too.
        say_json(decided.to_json()) if as_json else _say_plan(said)
        if not as_json:
            where = ("--project", project) if project else ()
            say_next(("deploy, test and evaluate it", ("submit", config, *where, "--wait")))
    if strict and decided.warnings:
        count = len(decided.warnings)
        say(f"--strict: the plan has {count} warning{'' if count == 1 else 's'}", err=True)
        sys.exit(1)


def _resolved(decided: "ServingPlan", deployment: "Deployment", project: str | None) -> "ServingPlan":
    from vertex_vllm.cli.submit_command import project_of
    from vertex_vllm.serving.pinned_image import with_digest

    project_of(deployment, project)
    return with_digest(decided)


def check_stored_adapters(
    deployment: "Deployment", facts: "ModelFacts", catalog: "Catalog", project: str | None
) -> None:
    """Raises PlanError for an adapter in Cloud Storage that does not fit.

    A config without such an adapter is planned offline, and one without a project without a look at its adapters.
    """
    if not any("gs://" in argument for argument in deployment.serving.extra_args):
        return
    from vertex_vllm.cli.submit_command import project_of
    from vertex_vllm.errors import InputError
    from vertex_vllm.serving.adapter_check import check_adapters

    try:
        named = project_of(deployment, project)
    except InputError as missing:
        say(f"adapters in Cloud Storage were not compared with the model: {missing}", err=True)
        return
    check_adapters(deployment.serving.extra_args, facts, named, catalog)


def _say_plan(text: str) -> None:
    """Prints the plan; on a terminal, verdict and warnings in colours."""
    from vertex_vllm.planning.render import VERDICT, WARNINGS

    warning = False
    for line in text.splitlines():
        label = line.split(" ", 1)[0]
        warning = label == WARNINGS or (warning and not label)
        verdict = {"fits": "green"}.get(line.split()[1].rstrip(","), "yellow") if label == VERDICT else ""
        say(line, colour=verdict or ("yellow" if warning else ""))


def evaluation_row(deployment: "Deployment", project: str | None) -> str:
    """The plan's last row: the suite, and the drop in quality that it sees."""
    from vertex_vllm.cli.submit_command import project_of
    from vertex_vllm.evaluation.suite_reach import stated_reach
    from vertex_vllm.planning.render import row

    asked = deployment.evaluation
    in_storage = asked.suite.startswith("gs://")
    told = stated_reach(
        asked.suite,
        asked.levels,
        asked.items,
        baseline=asked.baseline,
        allowed_regression=asked.allowed_regression,
        confidence=asked.confidence,
        project=project_of(deployment, project) if in_storage else "",
    )
    return row("Evaluation", told, width=prose_width())


def model_facts(
    deployment: "Deployment", catalog: "Catalog", hub: bool, file: Path | None, project: str | None
) -> "ModelFacts":
    """From the file if one is given, else the catalogue's, else the Hub's."""
    from vertex_vllm.catalog import Missing

    if file is not None:
        from vertex_vllm.cli.facts_command import read_file

        return read_file(file, deployment.model.id)
    recorded = catalog.facts(deployment.model.id)
    return hub_facts(deployment, project) if hub or isinstance(recorded, Missing) else recorded


def hub_facts(deployment: "Deployment", project: str | None) -> "ModelFacts":
    """Facts from the repo's own files at the config's revision."""
    from vertex_vllm.cli.submit_command import project_of
    from vertex_vllm.hub import hub_token
    from vertex_vllm.hub.access import check_access
    from vertex_vllm.hub.repository_facts import read_facts
    from vertex_vllm.project_names import secret_version_name

    secret = deployment.hf_token_secret
    token = hub_token(secret_version_name(secret, project_of(deployment, project)) if secret else "")
    commit = check_access(deployment.model.id, deployment.model.revision, token).commit
    return read_facts(deployment.model.id, commit, token)


def quotas_of(deployment: "Deployment", catalog: "Catalog", project: str | None) -> "Quotas":
    """The project's quotas in the deployment's region."""
    from vertex_vllm.cli.submit_command import project_of
    from vertex_vllm.serving.quota_check import read_quotas

    region = deployment.google_cloud.region
    return read_quotas(
        project_of(deployment, project), region, catalog.quota_ids(region, deployment.serving.preemptible)
    )


def throughputs_in(path: Path) -> "tuple[Measurement, ...]":
    """Measurements as an evaluation writes them, one or a list. Raises InputError for a file that holds none."""
    from vertex_vllm.encoded_text import utf8_text
    from vertex_vllm.errors import InputError
    from vertex_vllm.planning.measurement import parse_measurements

    try:
        return parse_measurements(utf8_text(path.read_bytes()))
    except (OSError, ValueError) as error:
        fix = (
            "Take what an evaluation wrote to gs://BUCKET/measurements/MODEL, or write it as "
            "docs/planning/price-of-tokens.md shows"
        )
        raise InputError(f"is not a measured throughput: {error}", where=str(path), fix=fix) from error


def throughputs_of(deployment: "Deployment", project: str | None) -> "tuple[Measurement, ...]":
    """Throughputs that evaluations of the model left in the deployment's bucket."""
    from vertex_vllm.cli.submit_command import project_of
    from vertex_vllm.evaluation.measurement_store import read_throughputs
    from vertex_vllm.project_names import default_bucket

    google_cloud, named = deployment.google_cloud, project_of(deployment, project)
    return read_throughputs(
        named, google_cloud.bucket or default_bucket(named, google_cloud.region), deployment.model.id
    )


def show_difference(
    decided: "ServingPlan", deployment: "Deployment", catalog: "Catalog", project: str | None, as_json: bool
) -> None:
    """Prints the differences between the plan and the live endpoint."""
    from vertex_vllm.cli.json_output import print_json
    from vertex_vllm.cli.submit_command import project_of
    from vertex_vllm.planning.difference import changes
    from vertex_vllm.project_names import regions_of
    from vertex_vllm.vertex_ai.serving_now import serving_now

    regions = (deployment.google_cloud.region, *regions_of(deployment.serving.fallbacks))
    serving = serving_now(project_of(deployment, project), regions, deployment.name)
    found = changes(serving, decided, catalog) if serving else ()
    if as_json:
        print_json({"serving": serving, "config_hash": decided.config_hash, "changes": found})
    else:
        say(_difference_text(decided, serving, found), nl=False)
    if serving is None or found:
        sys.exit(1)


def _difference_text(decided: "ServingPlan", serving: "Serving | None", found: "tuple[Change, ...]") -> str:
    from vertex_vllm.cli.table import text_table

    if serving is None:
        return f"{decided.deployment} serves nothing now: all of config {decided.config_hash} would be new\n"
    stage = serving.stage or "not promoted"
    head = f"{serving.endpoint} ({stage}, config {serving.config_hash or 'unknown'})\n"
    if not found:
        unread = "" if decided.commit else " (the model's commit was not compared: --hub reads it)"
        return f"{head}nothing would change{unread}\n"
    rows = [(change.what, change.now or "-", change.planned or "-") for change in found]
    return f"{head}\n{text_table(('what', 'now', 'planned'), rows, columns())}"
