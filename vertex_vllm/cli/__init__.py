"""`vertex-vllm`: one file a command, imported when it is called, so that `--help` and `plan` stay quick."""

import importlib
import os
import sys
import traceback

import click

from vertex_vllm import __version__
from vertex_vllm.cli.terminal import say
from vertex_vllm.errors import InputError, VertexVllmError
from vertex_vllm.redaction import redact, redacting

# Command → the line that `--help` shows. The module `<command>_command`, with `_` for `-`, holds
# a click command of that name.
COMMANDS = {
    "validate": "Check configs: fields, types, machines and regions.",
    "plan": "Show how a config would be served, and why, without creating anything.",
    "mirror": "Copy a model from the Hugging Face Hub to Cloud Storage, by itself; clean up after mirrors.",
    "facts": "What planning needs to know of a model, from the Hub or a bucket, without a download.",
    "catalog": "What planning rests on: machines, images, models, flags: list, show.",
    "submit": "Run a pipeline on Vertex AI Pipelines with a config's parameters.",
    "bootstrap": "Make a project ready: APIs, buckets, accounts, secret, repositories; or check or remove them.",
    "publish": "Compile the pipelines for a pushed image, and put the specs in the registry of templates.",
    "diagnose": "Say why a deployment failed, and what of its config to change.",
    "runs": "Pipeline runs: list, show, logs, cancel.",
    "compare": "Runs side by side: quality, rate, latency, price of tokens, and what their configs differ in.",
    "sweep-configs": "Try variants of a config one by one, within a budget, and rank them.",
    "endpoints": "What is served now, what it costs by the hour, and who made it.",
    "inventory": "All that vertex-vllm made in a project, in every region, and what it has cost so far.",
    "teardown": "Remove what a deployment, or one of its runs, made.",
    "sweep": "Remove what expired, what dead runs left, and on request what no config stands for.",
    "ci": "What a change of configs comes to, as a comment; and its deployment.",
    "schedule": "Pipelines run again and again, as the configs say: apply, list, pause, resume, delete.",
    "demo": "The main job on this machine, from Hub to teardown, on the local cloud.",
    "local": "A Google Cloud project on this machine: up, down, status, env, clock, hub, fault.",
}

_NO_LOCAL_CLOUD = "the local cloud is not installed. Install vertex-localcloud, or vertex-vllm with its extra `local`"


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


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


def _main(arguments: list[str] | None) -> None:
    try:
        vertex_vllm.main(arguments, prog_name="vertex-vllm", standalone_mode=False)
    except VertexVllmError as error:
        if os.environ.get("VERTEX_VLLM_DEBUG"):
            raise
        # A private key takes several lines: it is found before they are told apart.
        for line in redact(str(error)).splitlines():
            say(f"error: {line}", err=True)
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
