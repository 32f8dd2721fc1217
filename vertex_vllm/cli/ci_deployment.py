"""Runs that `vertex-vllm ci apply` starts and follows."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_vllm.cli.sending import require_ready, require_shared_suite, with_image
from vertex_vllm.cli.terminal import say

if TYPE_CHECKING:
    from vertex_vllm.ci.history import Commit
    from vertex_vllm.config import Deployment
    from vertex_vllm.runs.engine import Run


@dataclass(frozen=True)
class Outcome:
    """How a deployment's run ended."""

    deployment: str
    run_id: str
    """Empty: no run was submitted."""
    state: str
    """As in `Run.state`, or REFUSED."""
    error: str


def spec_of(commit: "Commit", pipeline: str) -> str | None:
    """The commit's own compiled spec; in a repository without compiled pipelines, the installed package's.

    None if the commit has compiled pipelines, but not this one.
    """
    from vertex_vllm.runs.specs import compiled

    if commit.files("compiled"):
        return commit.text(f"compiled/{pipeline}.yaml")
    return compiled(pipeline).read_text(encoding="utf-8")


def deploy(
    commit: "Commit", pipeline: str, project: str | None, deployments: "Sequence[Deployment]", image: str = ""
) -> list[Outcome]:
    """Submits all, with the commit's own spec in the project's image, then follows each to its end.

    Raises InputError, with nothing submitted, where a project is not ready for one of them.
    """
    from vertex_vllm.cli.submit_command import project_of, submission
    from vertex_vllm.errors import ServiceError
    from vertex_vllm.runs.vertex_engine import VertexEngine

    engine = VertexEngine()
    begun: list[tuple[str, str]] = []
    refused: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / f"{pipeline}.yaml"
        spec.write_text(spec_of(commit, pipeline) or "")
        asked = [submission(each, pipeline, project_of(each, project), commit=commit.id) for each in deployments]
        sent = [require_shared_suite(with_image(replace(each, spec=spec), image)) for each in asked]
        require_ready(*sent)
        for deployment, ready in zip(deployments, sent, strict=True):
            try:
                name = engine.submit(ready)
            except ServiceError as error:
                refused.append(Outcome(deployment.name, "", "REFUSED", str(error)))
                continue
            say(f"{deployment.name}: {engine.address(name)}", err=True)
            begun.append((deployment.name, name))
    return [*(followed(deployment, name) for deployment, name in begun), *refused]


def followed(deployment: str, resource_name: str) -> Outcome:
    """Waits for the run's end, and prints its steps on standard error."""
    from rich.console import Console

    from vertex_vllm.cli.run_view import RunView
    from vertex_vllm.runs.vertex_engine import VertexEngine, run_name

    say(f"{deployment}:", err=True)
    view = RunView(Console(stderr=True, highlight=False))
    with view.shown():
        run = VertexEngine().watch(resource_name, view.update)
    return Outcome(deployment, run_name(resource_name).id, run.state, "; ".join(failures(run)))


def failures(run: "Run") -> list[str]:
    """Which steps failed, and why."""
    if run.state == "SUCCEEDED":
        return []
    told = [f"{step.name}: {step.error}" for step in run.steps if step.state == "FAILED"]
    return told or [run.error]
