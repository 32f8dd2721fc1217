"""An open-source Kubeflow Pipelines as an engine, through `kfp.Client`. A run's name is its id."""

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.labels import DEPLOYMENT_LABEL
from vertex_vllm.retries import TransientError, with_retries
from vertex_vllm.runs.engine import AWAY_SECONDS, Run, Step, until_ended
from vertex_vllm.runs.submission import Submission, spec_file
from vertex_vllm.runs.vertex_engine import ensure_artifact_bucket

if TYPE_CHECKING:
    from kfp import Client

# Kubeflow's spelling → that of Vertex AI, which `Run.state` has.
_STATES = {"CANCELED": "CANCELLED", "CANCELING": "CANCELLING"}
_NOT_FOUND = 404
_TRANSIENT_FROM = 500


@dataclass(frozen=True)
class KubeflowEngine:
    """The Kubeflow Pipelines at `host`. Its service accounts are Kubernetes's, and its runs have no labels."""

    host: str
    """URL of the API and of the pages; an empty one is refused by the first call, with InputError."""
    namespace: str = ""
    """The profile's, on a multi-user Kubeflow."""

    uses_pipeline_account = False

    def submit(self, submission: Submission) -> str:
        """As `Engine.submit`, in an experiment that is named after the deployment; labels and account are left out.

        The run's display name is the job id, the value of `{{$.pipeline_job_name}}` on both engines.
        """
        with self._called() as client, contextlib.redirect_stdout(sys.stderr), spec_file(submission) as spec:
            ensure_artifact_bucket(submission)
            run = client.create_run_from_pipeline_package(
                str(spec),
                arguments=dict(submission.parameters),
                run_name=submission.job_id,
                experiment_name=submission.labels[DEPLOYMENT_LABEL],
                namespace=self.namespace or None,
                pipeline_root=submission.pipeline_root,
            )
        return str(run.run_id)

    def read(self, name: str) -> Run:
        with self._called(name) as client:
            return read_run(client.get_run(name))

    def watch(self, name: str, on_change: Callable[[Run], None]) -> Run:
        with self._called(name) as client:
            return until_ended(
                lambda: read_run(with_retries(lambda: _look(client, name), seconds=AWAY_SECONDS)), on_change
            )

    def cancel(self, name: str) -> None:
        with self._called(name) as client:
            client.terminate_run(name)

    def address(self, name: str) -> str:
        """The run's page, if Kubeflow's pages and its API have one host."""
        return f"{self.host.rstrip('/')}/#/runs/details/{name}"

    def command(self, name: str) -> str:
        return f"kfp run get {name}"

    @contextlib.contextmanager
    def _called(self, run: str = "") -> Iterator["Client"]:
        """A client; its errors become ServiceError or InputError, with the server's words."""
        from kfp_server_api import ApiException
        from urllib3.exceptions import HTTPError

        if not self.host:
            fix = "Name its address, there or in KF_PIPELINES_ENDPOINT"
            raise InputError("no Kubeflow Pipelines is named", where="--host", fix=fix)
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # It warns of each try.
        try:
            yield _client(self.host, self.namespace)
        except ApiException as error:
            if run and error.status == _NOT_FOUND:
                raise InputError("there is no such run", where=run, fix="`kfp run list` shows them.") from error
            raise ServiceError(
                f"Kubeflow Pipelines answered {error.status}: {error.body or error.reason}", where=self.host
            ) from error
        except (HTTPError, TimeoutError) as error:
            raise InputError(
                f"no Kubeflow Pipelines answers here: {type(error).__name__}",
                where=self.host,
                fix="Check --host, for example after kubectl port-forward service/ml-pipeline-ui 8080:80",
            ) from error
        except TransientError as error:
            raise ServiceError(
                f"Kubeflow Pipelines {error}", where=self.host, fix="The run continues; look at its page."
            ) from error


def step_names(spec: Mapping[str, Any]) -> frozenset[str]:
    """Names of the tasks of a spec that run something: Kubeflow lists drivers and groups too."""
    components = spec["components"]
    dags = [spec["root"]["dag"], *(found["dag"] for found in components.values() if "dag" in found)]
    return frozenset(
        name
        for dag in dags
        for name, task in dag["tasks"].items()
        if "dag" not in components[task["componentRef"]["name"]]
    )


def read_run(message: Any) -> Run:
    """A `V2beta1Run` as a `Run`. A run that was started without a spec of its own lists drivers and groups as steps."""
    details = (message.run_details.task_details if message.run_details else None) or []
    spec = message.pipeline_spec or {}
    spec = spec.get("pipeline_spec", spec)
    names = step_names(spec) if spec else {task.display_name for task in details}
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


def _client(host: str, namespace: str) -> "Client":
    from kfp import Client

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that it does not work with KFP 1
        # The client logs a traceback of each of its five attempts to reach a server.
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


def _state(state: str | None) -> str:
    return _STATES.get(state or "", state or "PENDING")


def _moment(moment: datetime | None) -> datetime | None:
    """The epoch means "not yet"."""
    return moment if moment and moment.timestamp() > 0 else None
