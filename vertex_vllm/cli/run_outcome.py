"""The end of a run as `submit --wait` and `runs watch` print it: the endpoint's address, or the cause of the
failure."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from vertex_vllm.cli.next_steps import say_next
from vertex_vllm.cli.terminal import fact, say

if TYPE_CHECKING:
    from vertex_vllm.lifecycle.deployment_view import DeploymentView
    from vertex_vllm.runs.engine import Run


def tell_end(run: "Run", deployment: str, pipeline: str, project: str) -> None:
    """Prints a summary and the next commands on standard error; exit code 1 for a run that did not succeed."""
    if run.state != "SUCCEEDED":
        _tell_failure(run, project)
        sys.exit(1)
    if pipeline == "deploy":
        _tell_deployed(run, deployment, project)
    elif pipeline == "mirror":
        for step in run.steps:
            for artifact in step.outputs.get("Output", ()):
                say(fact("Weights", artifact.uri), err=True)


def _tell_failure(run: "Run", project: str) -> None:
    failed = [step for step in run.steps if step.state == "FAILED" and step.error]
    # The run's own error repeats those of its steps in one line.
    told = f"at {', '.join(step.name for step in failed)}" if failed else run.error
    say(f"error: {run.state} {told}" if failed else f"error: {run.state}: {told}", err=True)
    for step in failed:
        say(f"  {step.name}: {step.error}", err=True)
    if run.state == "FAILED":
        place = _place(run, project)
        say_next(
            ("cause, and a change of the config", ("diagnose", run.name)),
            ("the failed steps' own words", ("runs", "logs", run.name)),
            ("steps, times, artifacts", ("runs", "show", run.name)),
            ("anything left that is charged", ("inventory", *place)),
        )


def _tell_deployed(run: "Run", deployment: str, project: str) -> None:
    report = run.output("evaluate-endpoint", "report")
    endpoint = run.output("deploy-model", "endpoint")
    kept = any(step.name == "promote-endpoint" and step.state == "SUCCEEDED" for step in run.steps)
    if endpoint is None or not kept:
        say("Tried, evaluated and torn down: the config has keep_endpoint: false", err=True)
        _tell_report(report.uri if report else "")
        say_next(("the report of the evaluation", ("runs", "open", run.name)))
        return
    name = str(endpoint.metadata.get("resourceName", ""))
    say(fact("Endpoint", name), err=True)
    view = _view(deployment, project, name.split("/")[3])
    if view is not None:
        _tell_view(view)
    _tell_report(report.uri if report else "")
    where = ("--project", project)
    removals: list[tuple[str, tuple[str, ...]]] = [("remove the whole deployment", ("teardown", deployment, *where))]
    if view is not None and view.superseded:
        names = ", ".join(view.superseded)
        say(fact("Superseded", f"{len(view.superseded)}, still serving and charged: {names}"), err=True)
        removals.insert(0, ("remove superseded endpoints", ("teardown", deployment, "--superseded", *where)))
    say_next(
        ("an answer", ("ask", deployment, "What is the capital of France?", *where)),
        ("URL, price, and calls for openai, curl, the SDK, gcloud", ("endpoints", "show", deployment, *where)),
        ("the report of the evaluation", ("runs", "open", run.name)),
        *removals,
    )


def _tell_view(view: "DeploymentView") -> None:
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.catalog.prices import hourly_price
    from vertex_vllm.cli.endpoint_view import price_text

    say(fact("URL", f"{view.base_url}/chat/completions"), err=True)
    say(fact("Price", price_text(hourly_price(view.serving.replicas, load_catalog()))), err=True)


def _tell_report(uri: str) -> None:
    if uri:
        say(fact("Report", uri), err=True)


def _view(deployment: str, project: str, region: str) -> "DeploymentView | None":
    """None where Vertex AI cannot be asked now: the run has succeeded all the same."""
    from vertex_vllm.errors import VertexVllmError
    from vertex_vllm.lifecycle.deployment_view import view_deployment

    with suppress(VertexVllmError):
        return view_deployment(project, (region,), deployment)
    return None


def _place(run: "Run", project: str) -> tuple[str, ...]:
    return ("--project", project, "--region", run.name.split("/")[3]) if "/" in run.name else ("--project", project)
