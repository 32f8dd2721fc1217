"""`vertex-vllm validate CONFIG…`"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.terminal import say

if TYPE_CHECKING:
    from vertex_vllm.config import Deployment, Fault


@click.command()
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(configs: tuple[Path, ...]) -> None:
    """Check configs: fields, types, machines, regions, vLLM's options, and names that two files share.

    All faults of all files are told; nothing is created. A folder stands for its *.yaml files.

    Example: vertex-vllm validate configs/*.yaml
    """
    from vertex_vllm.ci.review import repeated_names
    from vertex_vllm.config import load_deployment, located
    from vertex_vllm.errors import ConfigError

    faults: list[str] = []
    texts: dict[str, str] = {}
    valid: list[Path] = []
    for path in _files(configs):
        try:
            deployment = load_deployment(path)
        except ConfigError as error:
            faults += error.faults
            continue
        texts[str(path)] = path.read_text(encoding="utf-8")
        found = located(texts[str(path)], str(path), _argument_faults(deployment))
        faults += found
        valid += [] if found else [path]
    repeated = repeated_names(texts)
    for name, shared in repeated.items():
        faults += located(texts[name], name, shared)
    for path in valid:
        if str(path) not in repeated:
            say(f"{path}: ok", colour="green")
    if faults:
        raise ConfigError(faults)


def _files(configs: tuple[Path, ...]) -> Iterator[Path]:
    """Raises ConfigError for a folder without a *.yaml file."""
    from vertex_vllm.errors import ConfigError

    for path in dict.fromkeys(configs):
        if not path.is_dir():
            yield path
            continue
        within = sorted(path.glob("*.yaml"))
        if not within:
            raise ConfigError([f"{path}: is a folder without a .yaml file. Name a config, for example configs/x.yaml"])
        yield from within


def _argument_faults(deployment: "Deployment") -> "Iterator[Fault]":
    """Options in `serving.extra_args` that vLLM does not have, or that the pipeline gives itself, each one."""
    from vertex_vllm.catalog import Missing, load_catalog
    from vertex_vllm.config import Fault
    from vertex_vllm.errors import PlanError
    from vertex_vllm.planning.arguments import REFUSED
    from vertex_vllm.planning.command_line import parse_arguments

    catalog, at = load_catalog(), ("serving", "extra_args")
    try:
        arguments = parse_arguments(deployment.serving.extra_args, catalog)
    except PlanError as error:
        yield Fault(at, f"{error.message}. {error.fix}")
        return
    for argument in arguments:
        row = catalog.find_flag(argument.flag)
        if argument.flag in REFUSED:
            yield Fault(at, f"{argument.flag} may not be given: {REFUSED[argument.flag]}. Leave it out")
        elif isinstance(row, Missing):
            yield Fault(at, f"vLLM has no option {argument.flag}. {row.hint or 'Leave it out'}")
