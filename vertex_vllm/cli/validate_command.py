"""`vertex-vllm validate CONFIG…`"""

from pathlib import Path

import click

from vertex_vllm.cli.terminal import say


@click.command()
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(configs: tuple[Path, ...]) -> None:
    """Check configs: fields, types, machines and regions. All faults of all files are told; nothing is created.

    Example: vertex-vllm validate configs/*.yaml
    """
    from vertex_vllm.config import load_deployment
    from vertex_vllm.error_data import ConfigFault
    from vertex_vllm.errors import ConfigError

    faults: list[ConfigFault] = []
    for path in configs:
        try:
            load_deployment(path)
            say(f"{path}: ok")
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
