"""`vertex-vllm compare RUN RUN…`"""

from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.place import place_options
from vertex_vllm.cli.table import side_by_side
from vertex_vllm.cli.terminal import columns, say

if TYPE_CHECKING:
    from vertex_vllm.evaluation.run_results import RunResult


@click.command()
@click.argument("runs", nargs=-1, required=True)
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(runs: tuple[str, ...], project: str | None, region: str, as_json: bool) -> None:
    """Runs side by side: quality, the SLO's rate, latency, USD per million tokens, and what their configs differ in.

    RUN is a run's id, as `runs list` shows it, or its whole resource name.

    Example: vertex-vllm compare deploy-llama-20261130080000 deploy-llama-20261130093000
    """
    from vertex_vllm.cli.runs_command import resource_name
    from vertex_vllm.errors import InputError
    from vertex_vllm.evaluation.run_results import comparison_rows, differing_parameters

    if len(runs) < 2:
        raise InputError("one run cannot be compared", where="RUN", fix="Name two or more; `runs list` shows them.")
    found = [run_result(resource_name(run, project, region)) for run in runs]
    if as_json:
        print_json({"runs": found, "differences": differing_parameters(found)})
        return
    header, rows = comparison_rows(found)
    say(side_by_side(header, rows, columns()), nl=False)
    for result in found:
        if not result.metrics:
            say(f"{result.name} has no evaluation: {result.state}", err=True)


def run_result(name: str) -> "RunResult":
    """The run's parameters and the figures of its evaluation.

    Raises InputError for an unknown run and for a result that this version cannot read, ServiceError.
    """
    from google.protobuf import json_format

    from vertex_vllm.errors import InputError
    from vertex_vllm.evaluation.run_results import result_of
    from vertex_vllm.foreign_json import parsed
    from vertex_vllm.runs.vertex_engine import find_run, read_run

    job = find_run(name)
    run = read_run(job)
    parameters = json_format.MessageToDict(type(job).pb(job).runtime_config).get("parameterValues", {})
    artifact = run.output("evaluate-endpoint", "evaluation")
    text = _written(name, artifact.uri) if artifact else None
    try:
        return result_of(name.rpartition("/")[2], run.state, parameters, None if text is None else parsed(text))
    except ValueError as error:
        fix = "Name runs that this version of vertex-vllm has evaluated."
        raise InputError(f"not an evaluation: {error}", where=artifact.uri if artifact else name, fix=fix) from error


def _written(run: str, uri: str) -> bytes | None:
    """The evaluation's JSON; None where its step ended before it wrote one."""
    from vertex_vllm.google.error_boundary import google_errors
    from vertex_vllm.google.storage_client import storage_client

    project, bucket = run.split("/")[1], uri.removeprefix("gs://").partition("/")[0]
    with google_errors("Cloud Storage", uri):
        blob = storage_client(project).bucket(bucket).get_blob(uri.removeprefix(f"gs://{bucket}/"))
        if blob is None:
            return None
        return bytes(blob.download_as_bytes())
