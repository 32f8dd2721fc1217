"""`vertex-vllm bootstrap`"""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from vertex_vllm.bootstrap.resources import Step
    from vertex_vllm.bootstrap.session import Session
    from vertex_vllm.bootstrap.wanted import Settings


@click.command()
@click.option("--project", required=True, help="Project id.")
@click.option("--region", required=True, help="Region of buckets and repositories.")
@click.option(
    "--github-repository",
    default="",
    metavar="OWNER/NAME",
    help="Its workflows may act as the CI account, nobody else.",
)
@click.option("--no-hf-token", is_flag=True, help="For public models alone: no secret.")
@click.option("--dry-run", is_flag=True, help="Print every request as JSON, and change nothing.")
@click.option("--check", is_flag=True, help="Say what is missing; exit code 1 when anything is.")
@click.option("--remove", "removing", is_flag=True, help="Remove what bootstrap made.")
@click.option("--delete-data", is_flag=True, help="With --remove: also buckets and repositories that hold something.")
@click.option("--yes", is_flag=True, help="With --remove: do not ask.")
def bootstrap(
    project: str,
    region: str,
    github_repository: str,
    no_hf_token: bool,
    dry_run: bool,
    check: bool,
    removing: bool,
    delete_data: bool,
    yes: bool,
) -> None:
    """Make a project ready: APIs, buckets, accounts with the least roles, secret, repositories. Again: no change.

    Example: vertex-vllm bootstrap --project my-project --region us-central1 < hf-token.txt

    The Hugging Face token comes from standard input, or is asked for without being shown.
    """
    from vertex_vllm.bootstrap.making import project_number
    from vertex_vllm.bootstrap.session import authorized_session
    from vertex_vllm.bootstrap.wanted import Settings, removable, wanted
    from vertex_vllm.errors import InputError

    if dry_run + check + removing > 1:
        raise InputError("only one of --dry-run, --check and --remove at a time", where="bootstrap")
    if (delete_data or yes) and not removing:
        raise InputError("--delete-data and --yes go with --remove", where="bootstrap")
    session = authorized_session()
    settings = Settings(project, project_number(session, project), region, github_repository, not no_hf_token)
    if dry_run:
        click.echo(json.dumps([_printed(step) for step in wanted(settings)], indent=2))
    elif check:
        _check(session, wanted(settings))
    elif removing:
        _remove(session, removable(settings), delete_data=delete_data, asked=yes)
    else:
        _make(session, wanted(settings), settings)


def _printed(step: "Step") -> dict[str, object]:
    from vertex_vllm.bootstrap.resources import Grant

    if isinstance(step, Grant):
        change = {"role": step.role, "member": step.member}
        return {"grant": change, "on": step.on.resource, "read": asdict(step.on.read), "write": asdict(step.on.write)}
    return {step.kind: step.name, "look": asdict(step.look), "create": asdict(step.create)}


def _check(session: "Session", steps: tuple["Step", ...]) -> None:
    from vertex_vllm.bootstrap.making import is_missing

    missing = [step for step in steps if is_missing(session, step)]
    for step in missing:
        click.echo(f"missing  {step.kind} {step.name}")
    click.echo(f"{len(missing)} of {len(steps)} missing", err=True)
    if missing:
        sys.exit(1)


def _make(session: "Session", steps: tuple["Step", ...], settings: "Settings") -> None:
    from vertex_vllm.bootstrap.making import make
    from vertex_vllm.bootstrap.wanted import CI

    value = _secret_value(session, steps)
    made = 0
    for step in steps:
        changed = make(session, step, value)
        made += changed
        if changed:
            click.echo(f"made  {step.kind} {step.name}")
    click.echo(f"{made} made, {len(steps) - made} were there" if made else "no change", err=True)
    if settings.github_repository:
        click.echo(f"GCP_WORKLOAD_IDENTITY_PROVIDER={settings.identity_provider}", err=True)
        click.echo(f"GCP_SERVICE_ACCOUNT={settings.account(CI)}", err=True)
    click.echo(
        f"Next: build and push the image (docs/google-cloud.md), then vertex-vllm publish --project {settings.project} "
        f"--region {settings.region} --image …",
        err=True,
    )


def _secret_value(session: "Session", steps: tuple["Step", ...]) -> str:
    """Asked for before anything is made, and only where the secret has none. Raises InputError."""
    from vertex_vllm.bootstrap.making import is_missing
    from vertex_vllm.bootstrap.resources import SecretValue
    from vertex_vllm.errors import InputError
    from vertex_vllm.redaction import remember

    if not any(isinstance(step, SecretValue) and is_missing(session, step) for step in steps):
        return ""
    terminal = sys.stdin.isatty()
    value = click.prompt("Hugging Face token", hide_input=True, err=True) if terminal else sys.stdin.read()
    if not value.strip():
        raise InputError(
            "no Hugging Face token on standard input",
            where="secret hf-token",
            fix="Pipe it in, or say --no-hf-token when all models are public.",
        )
    token = str(value).strip()
    remember(token)
    return token


def _remove(session: "Session", steps: tuple["Step", ...], *, delete_data: bool, asked: bool) -> None:
    from vertex_vllm.bootstrap.removal import remove

    for step in steps:
        if not asked:
            click.echo(f"{step.kind} {step.name}", err=True)
    if not asked:
        click.confirm("Remove what of this bootstrap made?", abort=True, err=True)
    for step in reversed(steps):
        outcome = remove(session, step, delete_data=delete_data)
        if outcome != "absent":
            click.echo(f"{outcome}  {step.kind} {step.name}")
