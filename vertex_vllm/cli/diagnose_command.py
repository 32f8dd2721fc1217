"""`vertex-vllm diagnose RUN|ENDPOINT|LOGFILE`"""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.place import named_project, place_options
from vertex_vllm.cli.terminal import say, say_json

if TYPE_CHECKING:
    from vertex_vllm.diagnosis.config_changes import Case
    from vertex_vllm.diagnosis.patch import Patch
    from vertex_vllm.diagnosis.ranking import Diagnosis


@click.command()
@click.argument("target")
@click.option("--config", type=click.Path(path_type=Path), help="Config of the deployment: a change of it is proposed.")
@click.option("--apply", "apply_it", is_flag=True, help="Write the proposed change to the config; needs --config.")
@click.option("--json", "as_json", is_flag=True, help="Print the diagnosis as JSON.")
@click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write the diagnosis as a page.")
@click.option("--facts", type=click.Path(path_type=Path), help="Read the model's facts from a file of `facts`.")
@click.option("--hours", default=24.0, show_default=True, help="How far back Cloud Logging is read, for an endpoint.")
@place_options
def diagnose(
    target: str,
    config: Path | None,
    apply_it: bool,
    as_json: bool,
    html_file: Path | None,
    facts: Path | None,
    hours: float,
    project: str | None,
    region: str,
) -> None:
    """Say why a deployment failed, and what of its config to change.

    TARGET is a file with a container's log (- for standard input), a run's id, or an endpoint's: the log of either is
    read from Cloud Logging. With --config the change of the config that removes the cause is planned again, and shown
    where the plan then holds.

    Example: vertex-vllm diagnose container.log --config configs/llama-3.1-8b-instruct.yaml
    """
    from vertex_vllm.diagnosis.diagnosis_report import json_of, page_of, text_of
    from vertex_vllm.diagnosis.phases import phases_of
    from vertex_vllm.errors import InputError

    if apply_it and config is None:
        raise InputError("no config to apply the change to", where="--apply", fix="Name it with --config")
    found = _diagnosis(target, project, region, hours)
    case = _case(config, facts, project) if config else None
    patch = _patch(found, case, config)
    phases = phases_of(found.marks, case.plan.start_seconds if case and case.plan else None)
    if html_file:
        html_file.write_text(page_of(found, f"Diagnosis of {target}", patch, phases), encoding="utf-8")
    shown = str(config or "")
    if as_json:
        say_json(json_of(found, patch, phases))
    else:
        say(text_of(found, patch, phases, shown), nl=False)
    if apply_it:
        _apply(patch, config)


def _diagnosis(target: str, project: str | None, region: str, hours: float) -> "Diagnosis":
    from vertex_vllm.diagnosis.sources import diagnose_stream

    if target == "-":
        return diagnose_stream(sys.stdin.buffer)
    path = Path(target)
    if path.is_file():
        with path.open("rb") as stream:
            return diagnose_stream(stream)
    return _from_google(target, project, region, hours)


def _from_google(target: str, project: str | None, region: str, hours: float) -> "Diagnosis":
    """The diagnosis of an endpoint or a run; `target` is its resource name or its id."""
    from vertex_vllm.cli.runs_command import resource_name
    from vertex_vllm.diagnosis.deployed import diagnose_endpoint, diagnose_run
    from vertex_vllm.errors import InputError

    since = datetime.now(UTC) - timedelta(hours=hours)
    if "/endpoints/" in target:
        return diagnose_endpoint(target, since)
    if Path(target).suffix == ".log" or (os.sep in target and not target.startswith("projects/")):
        raise InputError("no such file", where=target, fix="Name a file with the container's log, a run or an endpoint")
    if target.startswith("vllm-") or target.isdigit():
        return diagnose_endpoint(f"projects/{named_project(project)}/locations/{region}/endpoints/{target}", since)
    return diagnose_run(resource_name(target, project, region))


def _case(config: Path, facts: Path | None, project: str | None) -> "Case":
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.cli.plan_command import model_facts
    from vertex_vllm.config import load_deployment
    from vertex_vllm.diagnosis.patch import case_of

    catalog = load_catalog()
    known = model_facts(load_deployment(config), catalog, False, facts, project)
    return case_of(config.read_text(encoding="utf-8"), str(config), known, catalog)


def _patch(found: "Diagnosis", case: "Case | None", config: Path | None) -> "Patch | None":
    """The patch for the first cause that a change of the config removes."""
    from vertex_vllm.diagnosis.patch import propose

    if case is None or config is None:
        return None
    text = config.read_text(encoding="utf-8")
    return next((patch for cause in found.causes[:1] if (patch := propose(cause, case, text, str(config)))), None)


def _apply(patch: "Patch | None", config: Path | None) -> None:
    from vertex_vllm.errors import InputError

    if patch is None or config is None:
        raise InputError("no change to apply", where=str(config), fix="Do what the diagnosis says, by hand")
    config.write_text(patch.text, encoding="utf-8")
    say(f"{config}: changed. Nothing is deployed; run `vertex-vllm submit {config}`", err=True)
