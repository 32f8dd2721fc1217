"""`vertex-vllm submit CONFIG`"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vertex_vllm.cli.local_state import started, state_option
from vertex_vllm.cli.next_steps import say_next
from vertex_vllm.cli.sending import image_option
from vertex_vllm.cli.terminal import prose_width, say

if TYPE_CHECKING:
    from vertex_vllm.config import Deployment
    from vertex_vllm.runs.engine import Engine
    from vertex_vllm.runs.submission import Submission

PIPELINES = ("deploy", "evaluate", "mirror", "teardown")


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--pipeline", type=click.Choice(PIPELINES), default="deploy", show_default=True, help="Pipeline to run.")
@click.option(
    "--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Parameter of the pipeline; may be repeated."
)
@click.option("--project", help="Project id; default: the config's, then GOOGLE_CLOUD_PROJECT.")
@image_option
@click.option(
    "--local", "on_local_cloud", is_flag=True, help="Run it on this machine: starts the local cloud where it is down."
)
@state_option
@click.option(
    "--engine",
    type=click.Choice(("vertex", "kfp")),
    default="vertex",
    show_default=True,
    help="Vertex AI Pipelines, or an open-source Kubeflow Pipelines.",
)
@click.option("--host", envvar="KF_PIPELINES_ENDPOINT", help="With --engine kfp: address of Kubeflow Pipelines.")
@click.option("--namespace", default="", help="With --engine kfp, of a multi-user Kubeflow: the profile's namespace.")
@click.option("--wait", is_flag=True, help="Follow the steps; exit code 0 when the run succeeds, 1 when not.")
def submit(
    config: Path,
    pipeline: str,
    assignments: tuple[str, ...],
    project: str | None,
    image: str,
    on_local_cloud: bool,
    state_dir: Path,
    engine: str,
    host: str | None,
    namespace: str,
    wait: bool,
) -> None:
    """Run a pipeline with a config's parameters, on Vertex AI Pipelines or on Kubeflow Pipelines.

    Example: vertex-vllm submit configs/llama-3.1-8b-instruct.yaml --project my-project --wait

    A pipeline that deploys shows its plan first, and is not sent where nothing can serve the model as asked. A model
    that the catalogue has not recorded is planned by the run itself.

    The steps run in the image that `bootstrap` built in the project. Nothing is sent before the project has what the
    run needs: APIs, accounts, the right to act as the pipeline's, and its bucket.

    With --local the project is one of the local cloud's, which `bootstrap` then prepares, and one of the demo's models
    is put on its Hub.
    """
    from rich.console import Console

    from vertex_vllm.cli import sending
    from vertex_vllm.cli.local_models import provide
    from vertex_vllm.cli.local_project import prepare
    from vertex_vllm.cli.local_shell import console_page
    from vertex_vllm.cli.run_outcome import tell_end
    from vertex_vllm.cli.run_view import RunView
    from vertex_vllm.config import load_deployment
    from vertex_vllm.config.pipeline_parameters import check_replaced

    deployment = load_deployment(config)
    replaced = assigned(pipeline, assignments)
    cloud = started(state_dir) if on_local_cloud else None
    sent = submission(deployment, pipeline, project_of(deployment, project), replaced, commit=_commit())
    if pipeline == "deploy":
        say(_plan(sent.parameters), err=True)
    else:
        check_replaced(deployment, sent.project, replaced)
    if "suite" in sent.parameters and not cloud:
        say(sending.evaluation_text(sent), err=True)
    if cloud:
        prepare(sent.project, sent.region, image=not image)
        provide(cloud, pipeline, sent.parameters, lambda text: say(text, err=True))
    sent = sending.with_image(sent, image)
    # Under --local, the variable was not set yet when the options were read.
    runs_on = _engine(engine, os.environ["KF_PIPELINES_ENDPOINT"] if cloud else host or "", namespace)
    if runs_on.uses_pipeline_account:
        sending.require_ready(sent)
    sent = sending.with_suite(sent)
    name = runs_on.submit(sent)
    say(name)
    # The address of a page on the local cloud would hold its key.
    local = f'eval "$(vertex-vllm local env --state {state_dir})" && {runs_on.command(name)}'
    address = local if cloud else runs_on.address(name)
    if page := address if cloud or engine != "vertex" else console_page(address):
        say(page, err=True)
    if not wait:
        if engine == "vertex":
            say_next(
                ("steps as they run, then the endpoint", ("runs", "watch", name)),
                ("state, errors, artifacts", ("runs", "show", name)),
                ("stop it; its exit handler removes what it made", ("runs", "cancel", name)),
            )
        return
    view = RunView(Console(stderr=True, highlight=False))
    with view.shown():
        run = runs_on.watch(name, view.update)
    if engine == "vertex":
        tell_end(run, deployment.name, pipeline, sent.project)
    elif run.state != "SUCCEEDED":
        # A Kubeflow run has no name of Vertex AI's, which the other commands take.
        say(f"error: {run.state}: {run.error}", err=True)
        sys.exit(1)


def _plan(parameters: Mapping[str, Any]) -> str:
    """The plan of these parameters, as far as it can be known offline.

    Raises:
        InputError: a value is not allowed; PlanError: nothing can serve the model as asked.
    """
    from vertex_vllm.catalog import Missing, load_catalog
    from vertex_vllm.config.pipeline_parameters import deployment_from_parameters
    from vertex_vllm.planning.planner import plan_serving
    from vertex_vllm.planning.render import render_plan

    asked, catalog = deployment_from_parameters(**parameters), load_catalog()
    facts = catalog.facts(asked.model.id)
    if isinstance(facts, Missing):
        return f"{asked.model.id} is not in the catalogue: the run plans it, from the repo's own files"
    return render_plan(plan_serving(facts, asked, catalog), prose_width())


def _commit() -> str:
    """The checked-out commit; empty where the sources are not what it holds."""
    from vertex_vllm.cli.publish_command import checked_out
    from vertex_vllm.errors import InputError

    with suppress(InputError):
        return checked_out()
    return ""


def _engine(name: str, host: str, namespace: str) -> "Engine":
    """The engine that `--engine` names."""
    from vertex_vllm.runs.kubeflow_engine import KubeflowEngine
    from vertex_vllm.runs.vertex_engine import VertexEngine

    return KubeflowEngine(host, namespace) if name == "kfp" else VertexEngine()


def project_of(deployment: "Deployment", given: str | None) -> str:
    """The project to work in.

    Raises:
        InputError: nobody named one.
    """
    from vertex_vllm.errors import InputError
    from vertex_vllm.google.quota_project import charge

    project = given or deployment.google_cloud.project or os.environ.get("GOOGLE_CLOUD_PROJECT", "")
    if not project:
        raise InputError(
            "no project",
            where="google_cloud.project",
            fix="Name one in the config, with --project, or in GOOGLE_CLOUD_PROJECT",
        )
    charge(project)
    return project


def assigned(pipeline: str, assignments: Iterable[str]) -> dict[str, Any]:
    """`NAME=VALUE` as parameters of the pipeline: text as it is, all else as JSON.

    Raises:
        InputError: no such parameter, or a value of another type.
    """
    from vertex_vllm.config.pipeline_parameters import parameters_of
    from vertex_vllm.errors import InputError
    from vertex_vllm.redaction import refuse_secrets

    types = {parameter.name: parameter.type for parameter in parameters_of(pipeline)}
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        refuse_secrets(assignment, f"--set {name}" if name in types else "--set")
        if name in types and not equals:
            raise InputError(f"`{name}` has no value", where="--set", fix=f"Write --set {name}=VALUE")
        if name not in types:
            raise InputError(
                f"`{assignment}` sets no parameter of {pipeline}", where="--set", fix=f"Known: {', '.join(types)}"
            )
        values[name] = text if types[name] is str else _json_value(name, text, types[name])
    return values


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", list: "a list", dict: "an object"}
_EXAMPLES = {
    int: "4096",
    float: "0.9",
    bool: "true",
    list: """'["--enable-lora"]'""",
    dict: """'{"name": "value"}'""",
}


def _json_value(name: str, text: str, kind: type) -> Any:
    from vertex_vllm.errors import InputError

    with suppress(json.JSONDecodeError):
        value = json.loads(text)
        if isinstance(value, bool) == (kind is bool) and isinstance(value, (int, float) if kind is float else kind):
            return value
    raise InputError(
        f"`{text}` is not {_KINDS.get(kind, kind.__name__)}",
        where=f"--set {name}",
        fix=f"For example {_EXAMPLES[kind]}",
    )


def submission(
    deployment: "Deployment",
    pipeline: str,
    project: str,
    replaced: Mapping[str, Any] | None = None,
    commit: str = "",
) -> "Submission":
    """The submission that `submit` sends, as a value; `replaced` are parameters that differ from the config's."""
    from vertex_vllm.config.pipeline_parameters import deployment_from_parameters, parameter_values
    from vertex_vllm.project_names import PIPELINE_ACCOUNT, account_email, runs_bucket
    from vertex_vllm.runs.specs import compiled
    from vertex_vllm.runs.submission import Submission, job_id, run_labels

    region = deployment.google_cloud.region
    parameters = parameter_values(pipeline, deployment, project) | dict(replaced or {})
    # The run plans from its parameters, replaced ones included: its label is the hash that its plan will have.
    asked = deployment_from_parameters(**parameters) if pipeline == "deploy" else deployment
    return Submission(
        project=project,
        region=region,
        spec=compiled(pipeline),
        job_id=job_id(pipeline, deployment.name),
        parameters=parameters,
        pipeline_root=f"gs://{runs_bucket(project, region)}",
        labels=run_labels(
            pipeline, deployment.name, config_hash=asked.config_hash, commit=commit, owner=deployment.owner
        ),
        service_account=deployment.google_cloud.pipeline_service_account or account_email(PIPELINE_ACCOUNT, project),
    )
