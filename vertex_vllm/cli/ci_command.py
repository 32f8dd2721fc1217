"""`vertex-vllm ci plan|apply`"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vertex_vllm.cli.ci_deployment import deploy, spec_of
from vertex_vllm.cli.help_text import Group
from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.sending import image_option
from vertex_vllm.cli.table import text_table
from vertex_vllm.cli.terminal import columns, say
from vertex_vllm.plain_text import one_line

if TYPE_CHECKING:
    from vertex_vllm.ci.concerned_configs import Decision
    from vertex_vllm.ci.history import Commit
    from vertex_vllm.ci.review import Review
    from vertex_vllm.ci.unread import Unread
    from vertex_vllm.config import Deployment

# Pipelines that a config alone can run and that delete nothing.
PIPELINES = ("deploy", "mirror")

# GitHub refuses a comment of more than 65,536 characters, and a step's summary of more than 1 MiB
# (docs.github.com, "Workflow commands", "Step isolation and limits", read in November 2026). Bytes are never fewer.
# The workflow cuts every comment at 60,000 bytes.
COMMENT_BYTES = 60_000
SUMMARY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Found:
    """The effects of a change."""

    commit: "Commit"
    decision: "Decision"
    reviews: "list[Review]"
    """Every concerned config, before and after."""
    unread: "tuple[Unread, ...]"


def revision_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of both commands: the two commits, the pipeline and the clone."""
    for option in (
        click.option("--base", required=True, metavar="REV", help="Commit to compare with."),
        click.option("--head", default="HEAD", show_default=True, metavar="REV", help="Commit to plan or deploy."),
        click.option(
            "--pipeline", type=click.Choice(PIPELINES), default="deploy", show_default=True, help="Pipeline to run."
        ),
        click.option(
            "--repository",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            default=Path(),
            help="Clone to look into; default: the one around this folder.",
        ),
    ):
        command = option(command)
    return command


@click.group(cls=Group)
def ci() -> None:
    """Show the effects of a change of configs, pipelines or library, and deploy them. For CI, and for looking ahead.

    Example: vertex-vllm ci plan --base origin/main
    """


@ci.command()
@revision_options
@click.option(
    "--comment",
    "comment_file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Also write the plan here, short enough for a comment on GitHub.",
)
def plan(base: str, head: str, pipeline: str, repository: Path, comment_file: Path | None) -> None:
    """Check every config that the change concerns, and print what would be served, and what differs, as Markdown.

    Needs no Google Cloud and no network: models are planned from what the catalogue has recorded of them. Exit code 2
    when a config is not valid, or when a changed file may be a config and is not read; the Markdown and standard error
    name them.

    Example: vertex-vllm ci plan --base origin/main
    """
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.ci.comment import comment

    found, catalog = look(repository, base, head, pipeline), load_catalog()
    say(comment(found.decision, found.reviews, catalog, found.unread, SUMMARY_BYTES), nl=False)
    if comment_file:
        comment_file.write_text(
            comment(found.decision, found.reviews, catalog, found.unread, COMMENT_BYTES), encoding="utf-8"
        )
    refuse_faulty(found)


@ci.command("apply")
@revision_options
@click.option("--project", help="Project id; default: the config's, then GOOGLE_CLOUD_PROJECT.")
@image_option
@click.option("--only", multiple=True, metavar="DEPLOYMENT", help="Submit only this deployment; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would be submitted, and submit nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print JSON.")
def apply_command(
    base: str,
    head: str,
    pipeline: str,
    repository: Path,
    project: str | None,
    image: str,
    only: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Submit a run for every deployment that the change concerns and whose config says `deploy_on_change: true`.

    Waits for all of them; exit code 1 when one fails. A removed config is reported, and its deployment is left alone.
    Nothing is submitted when any config that the change concerns is not valid: exit code 2.

    Example: vertex-vllm ci apply --base HEAD^1 --project my-project --dry-run
    """
    found = look(repository, base, head, pipeline)
    refuse_faulty(found)
    chosen = [(review, each) for review, each in wanted(found.reviews) if not only or each.name in only]
    tell(found)
    if dry_run:
        show(chosen, found.commit, as_json)
        return
    outcomes = deploy(found.commit, pipeline, project, [deployment for _, deployment in chosen], image)
    if outcomes:
        rows = [(outcome.deployment, outcome.run_id, outcome.state, outcome.error) for outcome in outcomes]
        say(text_table(("deployment", "run", "state", "error"), rows, columns()), nl=False)
    failed = [outcome.deployment for outcome in outcomes if outcome.state != "SUCCEEDED"]
    if failed:
        say(f"error: {len(failed)} of {len(outcomes)} failed: {', '.join(failed)}", err=True)
        sys.exit(1)


def look(repository: Path, base: str, head: str, pipeline: str) -> Found:
    """Reads both commits."""
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.ci.concerned_configs import decide, is_config
    from vertex_vllm.ci.history import Commit
    from vertex_vllm.ci.review import repeated_names, review
    from vertex_vllm.ci.unread import deployment_name, unread

    before, after = Commit.of(repository, base), Commit.of(repository, head)
    changes = after.changes_since(before)
    kinds = after.entries("configs", "configs/")
    texts = {path: after.text(path) or "" for path, kind in kinds.items() if kind == "file" and is_config(path)}
    decision = decide(changes, texts, names(before, before.files("configs")), names(after, texts))
    changed = [change.path for change in changes if change.kind != "removed"]
    kinds = {**after.entries(*changed), **kinds}
    # A link's target may have changed although the link has not.
    beside = [path for path in kinds if decision.dependencies or kinds[path] != "file"]
    missed = unread([*changed, *beside], kinds, after.text, [removed.deployment for removed in decision.removed])
    # A deployment is not removed if its config exists under a file name that is not read.
    unread_names = {deployment_name(after.text(each.path)) for each in missed if each.is_fault}
    kept = tuple(removed for removed in decision.removed if removed.deployment not in unread_names)
    decision = replace(decision, removed=kept)
    repeated = repeated_names(texts)
    spec, catalog = spec_of(after, pipeline), load_catalog()
    reviews = [
        review(
            concerned,
            before.text(concerned.base or concerned.config),
            texts[concerned.config],
            pipeline,
            spec,
            catalog,
            repeated.get(concerned.config, ()),
        )
        for concerned in decision.concerned
    ]
    return Found(after, decision, reviews, missed)


def names(commit: "Commit", paths: Iterable[str]) -> dict[str, str]:
    """Config → the name of its deployment, where it says one."""
    from vertex_vllm.ci.concerned_configs import is_config
    from vertex_vllm.ci.unread import deployment_name

    found = {path: deployment_name(commit.text(path)) for path in paths if is_config(path)}
    return {path: name for path, name in found.items() if name is not None}


def refuse_faulty(found: Found) -> None:
    """Raises ConfigError with all faults of all configs, and the files that may be configs and are not read."""
    from vertex_vllm.error_data import ConfigFault
    from vertex_vllm.errors import ConfigError

    faults = [fault for review in found.reviews for fault in review.after.faults]
    faults += [ConfigFault(each.path, 0, "", each.why) for each in found.unread if each.is_fault]
    if faults:
        raise ConfigError(faults)


def wanted(reviews: "Iterable[Review]") -> "list[tuple[Review, Deployment]]":
    """The reviews whose config says `deploy_on_change: true`, each with its deployment."""
    found = ((review, review.after.deployment) for review in reviews)
    return [(review, deployment) for review, deployment in found if deployment and deployment.deploy_on_change]


def tell(found: Found) -> None:
    """Prints on standard error the concerned deployments that are not deployed."""
    for review in found.reviews:
        if review.after.deployment and not review.after.deployment.deploy_on_change:
            say(f"{one_line(review.config)}: not deployed, deploy_on_change is not set", err=True)
    for removed in found.decision.removed:
        named = one_line(f"{removed.config}: {removed.deployment or 'its deployment'}")
        say(f"{named} is removed; what it deployed stays until it is torn down by hand", err=True)
    for each in found.unread:
        say(f"{one_line(each.path)}: {each.why}", err=True)


def show(chosen: "Sequence[tuple[Review, Deployment]]", commit: "Commit", as_json: bool) -> None:
    """Prints the runs that would be submitted."""
    if as_json:
        told = [
            {
                "deployment": deployment.name,
                "config": review.config,
                "why": review.concerned.why,
                "config_hash": deployment.config_hash,
                "commit": commit.id,
            }
            for review, deployment in chosen
        ]
        print_json(told)
        return
    rows = [(deployment.name, review.config, review.concerned.why) for review, deployment in chosen]
    if rows:
        say(text_table(("deployment", "config", "why"), rows, columns()), nl=False)
    else:
        say("nothing would be submitted", err=True)
