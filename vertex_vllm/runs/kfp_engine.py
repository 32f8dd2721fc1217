"""The same submission on an open-source Kubeflow Pipelines: `kfp.Client` instead of Vertex AI's."""

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.labels import DEPLOYMENT_LABEL
from vertex_vllm.polling import poll_until
from vertex_vllm.retries import TransientError, with_retries
from vertex_vllm.runs.submission import Submission, ensure_artifact_bucket, spec_file
from vertex_vllm.runs.watching import AWAY_SECONDS, ENDED, Run, Step

if TYPE_CHECKING:
    from kfp import Client

# Kubeflow's spelling → ours, which is Vertex AI's.
_STATES = {"CANCELED": "CANCELLED", "CANCELING": "CANCELLING"}
_TRANSIENT_FROM = 500


def submit(submission: Submission, host: str, namespace: str = "") -> str:
    """Starts the run, in an experiment that is named after the deployment; returns the run's id.

    The run's name is the job id, which is what `{{$.pipeline_job_name}}` stands for on both engines. Kubeflow has no
    labels, and its service accounts are Kubernetes's: what the submission says of both is left out.

    Raises ServiceError, and InputError when nothing answers at `host` or an image is not pinned by digest.
    """
    with _told(host), contextlib.redirect_stdout(sys.stderr), spec_file(submission) as spec:
        client = _client(host, namespace)
        ensure_artifact_bucket(submission)
        run = client.create_run_from_pipeline_package(
            str(spec),
            arguments=dict(submission.parameters),
            run_name=submission.job_id,
            experiment_name=submission.labels[DEPLOYMENT_LABEL],
            namespace=namespace or None,
            pipeline_root=submission.pipeline_root,
        )
    return str(run.run_id)


def watch(run_id: str, spec: Path, host: str, on_change: Callable[[Run], None]) -> Run:
    """Polls until the run has ended, telling each look to `on_change`; returns the last look.

    A server that is away for less than ten minutes is waited for. Raises ServiceError.
    """
    names = step_names(yaml.safe_load(spec.read_text()))
    with _told(host):
        client = _client(host)

        def look() -> Run:
            run = read_run(with_retries(lambda: _look(client, run_id), seconds=AWAY_SECONDS), names)
            on_change(run)
            return run

        return poll_until(lambda run: run.state in ENDED, look)


def step_names(spec: Mapping[str, Any]) -> frozenset[str]:
    """Names of the tasks that run something: Kubeflow tells of drivers and groups, too."""
    components = spec["components"]
    dags = [spec["root"]["dag"], *(found["dag"] for found in components.values() if "dag" in found)]
    return frozenset(
        name
        for dag in dags
        for name, task in dag["tasks"].items()
        if "dag" not in components[task["componentRef"]["name"]]
    )


def read_run(message: Any, names: frozenset[str]) -> Run:
    """A `V2beta1Run` as a `Run` with the steps of `names`."""
    details = (message.run_details.task_details if message.run_details else None) or []
    steps = [
        Step(
            name=task.display_name,
            state=_state(task.state),
            started=_moment(task.start_time),
            ended=_moment(task.end_time),
            error=task.error.message or "" if task.error else "",
            outputs={},
        )
        for task in details
        if task.display_name in names
    ]
    error = message.error.message if message.error else ""
    return Run(message.run_id, _state(message.state), error or "", tuple(steps))


def run_address(host: str, run_id: str) -> str:
    """The run's page, where Kubeflow's pages and its API have one address."""
    return f"{host.rstrip('/')}/#/runs/details/{run_id}"


def _client(host: str, namespace: str = "") -> "Client":
    from kfp import Client

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that it does not work with KFP 1
        # It logs a traceback of each of its five attempts to reach a server.
        logging.disable(logging.ERROR)
        try:
            return Client(host=host, **({"namespace": namespace} if namespace else {}))
        finally:
            logging.disable(logging.NOTSET)


def _look(client: "Client", run_id: str) -> Any:
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        return client.get_run(run_id)
    except HTTPError as error:
        raise TransientError(f"no answer: {type(error).__name__}") from error
    except ApiException as error:
        if (error.status or 0) >= _TRANSIENT_FROM:
            raise TransientError(f"answered {error.status}") from error
        raise


@contextlib.contextmanager
def _told(host: str) -> Iterator[None]:
    """Errors of the client inside become ServiceError or InputError, with the server's words."""
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it warns of each try
    try:
        yield
    except ApiException as error:
        raise ServiceError(
            f"Kubeflow Pipelines answered {error.status}: {error.body or error.reason}", where=host
        ) from error
    except (HTTPError, TimeoutError) as error:
        raise InputError(
            f"no Kubeflow Pipelines answers here: {type(error).__name__}",
            where=host,
            fix="Check --host, for example after kubectl port-forward service/ml-pipeline-ui 8080:80",
        ) from error
    except TransientError as error:
        raise ServiceError(
            f"Kubeflow Pipelines {error}", where=host, fix="The run goes on; look at its page."
        ) from error


def _state(state: str | None) -> str:
    return _STATES.get(state or "", state or "PENDING")


def _moment(moment: datetime | None) -> datetime | None:
    """The epoch stands for "not yet"."""
    return moment if moment and moment.timestamp() > 0 else None
