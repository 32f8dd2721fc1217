"""`vertex-vllm completion`"""

import click

from vertex_vllm.cli.completing import VARIABLE
from vertex_vllm.cli.terminal import say


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands, options, configs, deployments and rows of the catalogue.

    Deployments are those of the configs below ./configs. Nothing is asked of Google Cloud.

    Example: vertex-vllm completion bash > completion.sh
    """
    from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

    program = click.get_current_context().find_root().command
    of_shell: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    # `ShellComplete.source` of bash starts a bash to look at its version: the script alone is wanted.
    made = of_shell[shell](program, {}, "vertex-vllm", VARIABLE)
    say(made.source_template % made.source_vars(), nl=False)
