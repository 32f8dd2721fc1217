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
    """Check configs: fields, types, machines, regions, suites, vLLM's options, shared names.

    All faults of all files are printed; nothing is created. A folder means its *.yaml files. A suite in
    Cloud Storage is read by `plan` and by the run, not here.

    Example: vertex-vllm validate configs/*.yaml
    """
    from vertex_vllm.ci.review import repeated_names
    from vertex_vllm.config import load_deployment, located
    from vertex_vllm.error_data import ConfigFault
    from vertex_vllm.errors import ConfigError

    faults: list[ConfigFault] = []
    doubts: dict[Path, str] = {}
    texts: dict[str, str] = {}
    valid: list[Path] = []
    for path in _files(configs):
        try:
            deployment = load_deployment(path)
            doubts[path] = _suite_doubt(path, deployment)
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
            say(f"{path}: ok{doubts[path]}", colour="yellow" if doubts[path] else "green")
    if faults:
        raise ConfigError(faults)


def _files(configs: tuple[Path, ...]) -> Iterator[Path]:
    """Raises ConfigError for a folder without a *.yaml file."""
    from vertex_vllm.error_data import ConfigFault
    from vertex_vllm.errors import ConfigError

    for path in dict.fromkeys(configs):
        if not path.is_dir():
            yield path
            continue
        within = sorted(path.glob("*.yaml"))
        if not within:
            said = "is a folder without a .yaml file. Name a config, for example configs/x.yaml"
            raise ConfigError([ConfigFault(str(path), 0, "", said)])
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


def _suite_doubt(path: Path, deployment: "Deployment") -> str:
    """A remark on a suite that is too small for the regression it is asked about; empty where there is none.

    Raises ConfigError for a suite that cannot be asked, with the line of its files or of the config.
    """
    from vertex_vllm.config.catalogue_check import Fault
    from vertex_vllm.config.config_file import located
    from vertex_vllm.errors import ConfigError, InputError
    from vertex_vllm.evaluation.planned import order_of, reach_of
    from vertex_vllm.evaluation.suite_reach import NONE

    if deployment.evaluation.suite.startswith("gs://"):
        return ""
    try:
        reach = reach_of(order_of(deployment))
    except ConfigError:
        raise
    except InputError as error:
        fault = Fault(tuple((error.where or "evaluation.suite").split(".")), f"{error.message}. {error.fix}")
        raise ConfigError(located(path.read_text(encoding="utf-8"), str(path), [fault])) from None
    asked = deployment.keep_endpoint and deployment.evaluation.baseline != NONE
    return f" (evaluation: {reach})" if asked and reach.too_small else ""
