"""`vertex-vllm`: one file a command, imported when it is called, so that `--help` and `plan` stay quick."""

import difflib
import importlib
import os
import sys
import traceback

import click
from click.shell_completion import CompletionItem

from vertex_vllm import __version__
from vertex_vllm.cli.help_text import HelpText
from vertex_vllm.cli.terminal import say
from vertex_vllm.errors import HubAccessError, InputError, RepositoryNotFoundError, VertexVllmError
from vertex_vllm.redaction import redact, redacting

# Command → the line that `--help` shows, in groups. A command `a-b` is in the module `a_b_command`.
GROUPS = {
    "Before anything is created": {
        "init": "Begin a repository of configs: a planned config for each model, a workflow, a README.",
        "validate": "Check configs: fields, types, machines and regions.",
        "plan": "Show how a config would be served, and why, without creating anything.",
        "facts": "Read a model's facts for planning from the Hub or a bucket, without a download.",
        "catalog": "Look up the data that planning uses: machines, images, models, flags.",
    },
    "A project": {
        "doctor": "Check what a run needs: credentials, project, APIs, accounts, image, quota, the Hub.",
        "bootstrap": "Make a project ready: APIs, buckets, accounts, secret, repositories; or check or remove them.",
        "publish": "Compile the pipelines for a pushed image, and put the specs in the registry of templates.",
    },
    "Deployments": {
        "submit": "Run a pipeline on Vertex AI Pipelines with a config's parameters.",
        "runs": "Pipeline runs: list, show, watch, open, logs, cancel.",
        "compare": "Runs side by side: quality, rate, latency, price of tokens, and config differences.",
        "sweep-configs": "Try variants of a config one by one, within a budget, and rank them.",
        "diagnose": "Say why a deployment failed, and which change of its config would help.",
        "endpoints": "Endpoints that serve now: list, show, with price, owner and how to call them.",
        "ask": "Ask the live endpoint of a deployment a question.",
        "harness": "Run an evaluation harness, inspect-ai for example, against a deployment.",
        "schedule": "Pipelines that Vertex AI starts at the configs' times: apply, list, pause, resume, delete.",
        "ci": "Plan a change of configs as a comment, and deploy it.",
        "mirror": "Copy a model from the Hugging Face Hub to Cloud Storage; verify or delete mirrors.",
    },
    "Changing and removing": {
        "inventory": "Everything that vertex-vllm made in a project, in every region, and its cost so far.",
        "rollback": "Make the superseded endpoint of a deployment live again, in seconds.",
        "teardown": "Remove the endpoints and models of a deployment, of one run, or the superseded ones.",
        "sweep": "Remove resources that expired or that dead runs left, and on request those without a config.",
    },
    "On this machine": {
        "demo": "Run everything from the Hub to the teardown on the local cloud.",
        "local": "A Google Cloud project on this machine: up, down, status, env, clock, hub, fault.",
        "completion": "Print a script with which bash, zsh or fish complete commands, configs and deployments.",
    },
}
COMMANDS = {name: line for group in GROUPS.values() for name, line in group.items()}
# Words that people try first.
_ALSO = {"run": "runs", "endpoint": "endpoints", "deploy": "submit", "destroy": "teardown", "delete": "teardown"}

# Names no package for pip to look up: the local cloud is in no package index.
_NO_LOCAL_CLOUD = (
    "the local cloud is not installed. Install it from the checkout: the folder localcloud, and vertex-vllm with its "
    "extra `local`"
)


class LazyGroup(click.Group):
    """Finds a command by name without importing the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"vertex_vllm.cli.{name}_command"), name)
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands by name, without importing any of them."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=line) for name, line in COMMANDS.items() if name.startswith(incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggests a command for an unknown one. Raises UsageError."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = [_ALSO[name]] if name in _ALSO else difflib.get_close_matches(name, COMMANDS, n=1)
            suggestion = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"No such command '{name}'.{suggestion}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), line) for name, line in commands.items()])


# Of every command, those that are imported later too.
click.Context.formatter_class = HelpText


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vertex-vllm")
def vertex_vllm() -> None:
    """Open models on Vertex AI with vLLM: planned, mirrored, deployed, tested, torn down."""


def main(arguments: list[str] | None = None) -> None:
    """An error of ours is one line on stderr and an exit code; VERTEX_VLLM_DEBUG=1 adds its traceback.

    No secret is shown in either.
    """
    with redacting():
        try:
            _main(arguments)
        except Exception:
            traceback.print_exc()
            sys.exit(1)


def _note(error: VertexVllmError) -> str:
    """Facts about this shell that explain the error: a local cloud that is down, a local Hub without the model."""
    from vertex_vllm.cli.local_shell import about_local_hub, complaint_about_shell

    if isinstance(error, InputError) and not isinstance(error, HubAccessError):
        return ""  # A mistake in a file or an option has nothing to do with the shell.
    about_hub = about_local_hub(error.where) if isinstance(error, RepositoryNotFoundError) else ""
    return complaint_about_shell() or about_hub


def _main(arguments: list[str] | None) -> None:
    try:
        vertex_vllm.main(arguments, prog_name="vertex-vllm", standalone_mode=False)
    except VertexVllmError as error:
        if os.environ.get("VERTEX_VLLM_DEBUG"):
            raise
        # A private key takes several lines: it is found before the text is split into lines.
        for line in redact(str(error)).splitlines():
            say(f"error: {line}", err=True)
        if note := _note(error):
            say(f"note: {note}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if error.name != "localcloud":
            raise
        say(f"error: {_NO_LOCAL_CLOUD}", err=True)
        sys.exit(InputError.exit_code)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        say("interrupted", err=True)
        sys.exit(130)
