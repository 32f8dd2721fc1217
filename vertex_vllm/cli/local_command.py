"""`vertex-vllm local up|down|status|env|as|clock|hub|fault`"""

import shlex
import tempfile
from pathlib import Path

import click

from vertex_vllm.cli.failures import told
from vertex_vllm.cli.help_text import Group
from vertex_vllm.cli.local_fault import fault
from vertex_vllm.cli.local_shell import local_state_of_shell
from vertex_vllm.cli.local_state import local_command, running, state_option, writable
from vertex_vllm.cli.local_status import status_text
from vertex_vllm.cli.terminal import say
from vertex_vllm.errors import InputError


@click.group(cls=Group)
def local() -> None:
    """A Google Cloud project on this machine, for any Google client.

    Example: vertex-vllm local up && eval "$(vertex-vllm local env)"
    """


@local.command()
@state_option
@click.option("--project", default="local-project", show_default=True, help="Project that default credentials name.")
@click.option("--region", default="us-central1", show_default=True, help="Region of the metadata server.")
def up(state_dir: Path, project: str, region: str) -> None:
    """Start the local cloud in the background.

    Example: vertex-vllm local up
    """
    from localcloud import daemon
    from vertex_vllm.local import ADDITIONS

    with told(daemon.DaemonError):
        connection = daemon.up(writable(state_dir), project=project, region=region, additions=ADDITIONS)
    say(f"The local cloud is up: project {project}, state in {state_dir}, pid {connection.pid}")
    say(f'Bring a shell there with: eval "$({local_command("env", state_dir)})"')
    say('Leave it again with: eval "$(vertex-vllm local env --unset)"')


@local.command()
@state_option
def down(state_dir: Path) -> None:
    """Stop the local cloud and every process it started. Its state stays.

    Example: vertex-vllm local down
    """
    from localcloud import daemon

    with told(daemon.DaemonError):
        stopped = daemon.down(state_dir.resolve())
    say("The local cloud is down" if stopped else "The local cloud was not up")
    if local_state_of_shell() == state_dir.resolve():
        say('This shell still points to it. Leave it with: eval "$(vertex-vllm local env --unset)"', err=True)


@local.command()
@state_option
def status(state_dir: Path) -> None:
    """Say whether the local cloud is up, and what it holds: endpoints, runs, models of its Hub, its clock.

    Exit code 1: down. `local env` prints the variables that bring clients there.

    Example: vertex-vllm local status
    """
    from localcloud import daemon

    with told(daemon.DaemonError):
        connection = daemon.status(state_dir.resolve())
    if connection is None:
        say(f"down: {state_dir}")
        say(f"Start it: {local_command('up', state_dir)}", err=True)
        raise SystemExit(1)
    say(status_text(connection), nl=False)


@local.command()
@state_option
@click.option("--unset", is_flag=True, help="Print the commands that bring a shell back to Google Cloud.")
def env(state_dir: Path, unset: bool) -> None:
    """Print the exports that bring any Google client to the local cloud; with --unset, those that undo them.

    Example: eval "$(vertex-vllm local env)"
    """
    if unset:
        from localcloud import daemon

        with tempfile.TemporaryDirectory() as folder:
            say(f"unset {' '.join(sorted(daemon.plan(Path(folder))))}")
        return
    for name, value in sorted(running(state_dir).environment.items()):
        say(f"export {name}={shlex.quote(value)}")


@local.command(name="as")
@state_option
@click.argument("account", default="")
def as_account(state_dir: Path, account: str) -> None:
    """Let the local cloud's default credential be that of ACCOUNT, or without one, of the owner of all projects.

    ACCOUNT is an email address: a person's, or that of a service account that exists. Steps and containers keep the
    accounts that they run as.

    Example: vertex-vllm local as vertex-vllm-ci@local-project.iam.gserviceaccount.com
    """
    from localcloud import daemon

    try:
        running(state_dir).switch_user(account)
    except daemon.RefusedError as error:
        raise InputError(
            error.reason, where=account, fix="Name an account that exists, or none for the owner of all projects"
        ) from None
    say(f"New clients act as {account or 'the owner of all projects'}")


@local.command()
@state_option
@click.option("--advance-seconds", type=click.IntRange(min=0), required=True, help="Seconds to move the clock by.")
def clock(state_dir: Path, advance_seconds: int) -> None:
    """Move the local cloud's clock forward, and start the runs that its schedules have due by then.

    Example: vertex-vllm local clock --advance-seconds 86400
    """
    from localcloud import daemon

    with told(daemon.DaemonError):
        running(state_dir).admin("PUT", "/_local/clock", {"advance_seconds": advance_seconds})
    say(f"The clock has been moved by {advance_seconds} s")


@local.command()
@state_option
@click.argument("model_id", required=False)
@click.option("--list", "listing", is_flag=True, help="Print the models on the Hub, one per line.")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the model's files. Default: one of the demo's models, built on first use.",
)
@click.option("--gated", is_flag=True, help="Only tokens with granted access may read the model.")
def hub(state_dir: Path, model_id: str | None, listing: bool, folder: Path | None, gated: bool) -> None:
    """Put a model on the local Hugging Face Hub, or list its models.

    Example: vertex-vllm local hub HuggingFaceTB/SmolLM2-135M-Instruct
    """
    from vertex_vllm.cli.local_models import demo_model, put_model
    from vertex_vllm.cli.local_status import hub_models
    from vertex_vllm.local.demo_models.build import IMAGE_MODEL, TEXT_MODEL

    if listing:
        for line in hub_models(running(state_dir)):
            say(line)
        return
    if model_id is None:
        raise InputError("no model", where="local hub", fix="Name the model to put on the Hub, or give --list")

    path = folder or demo_model(model_id, say)
    if path is None:
        raise InputError(
            f"{model_id} is not one of the demo's models",
            where="--from",
            fix=f"They are: {TEXT_MODEL}, {IMAGE_MODEL}. For another one, name the folder that holds its files",
        )
    put_model(running(state_dir), model_id, path, gated=gated)
    say(f"On the local Hub: {model_id}")


local.add_command(fault)
