"""`vertex-vllm validate CONFIG…`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.terminal import say

if TYPE_CHECKING:
    from vertex_vllm.config import Deployment


@click.command()
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(configs: tuple[Path, ...]) -> None:
    """Check configs: fields, types, machines, regions, suites. All faults of all files are told; nothing is created.

    A suite in Cloud Storage is read by `plan` and by the run, not here.

    Example: vertex-vllm validate configs/*.yaml
    """
    from vertex_vllm.config import load_deployment
    from vertex_vllm.error_data import ConfigFault
    from vertex_vllm.errors import ConfigError

    faults: list[ConfigFault] = []
    for path in configs:
        try:
            doubt = _suite_doubt(path, load_deployment(path))
            say(f"{path}: ok{doubt}")
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)


def _suite_doubt(path: Path, deployment: "Deployment") -> str:
    """A remark on a suite that is too small for the regression it is asked about; empty where there is none.

    Raises ConfigError for a suite that cannot be asked, with the line of its files or of the config.
    """
    from vertex_vllm.config.catalogue_check import Fault
    from vertex_vllm.config.config_file import located
    from vertex_vllm.errors import ConfigError, InputError
    from vertex_vllm.evaluation.baseline import NONE
    from vertex_vllm.evaluation.planned import order_of, reach_of

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
