"""The evaluation as a run in Vertex Experiments, where the console compares runs.

The SDK's `aiplatform.init(experiment=…)` and `ExperimentRun` make the same calls of MetadataService, but write a run
empty, then its parameters, metrics and state one after the other, refuse to create a run that a first attempt left, and
keep the experiment in a variable of the process. Here a run is one request with all that it holds, its id follows from
the pipeline run, and each of the calls may be repeated: a retried step and runs at the same time leave what one attempt
by itself leaves.
"""

import hashlib
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

from google.api_core.exceptions import AlreadyExists, NotFound
from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import InputError, ServiceError, VertexVllmError
from vertex_vllm.evaluation.evaluate import Evaluation, metrics_of
from vertex_vllm.evaluation.gates import verdict_of
from vertex_vllm.evaluation.measurement_store import served
from vertex_vllm.planning.difference import Serving
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY, metadata_client, service_errors
from vertex_vllm.vertex_ai.resource_names import ResourceName

# google-cloud-aiplatform 1.165.1, `metadata/constants.py`: the console and the SDK find experiments and runs by these.
_EXPERIMENT, _RUN, _SCHEMA_VERSION = "system.Experiment", "system.ExperimentRun", "0.0.1"
_SHOWN_IN_CONSOLE = {"experiment_deleted": False}
_ID_CHARACTERS = 121
_VERDICT_CHARACTERS = 1000
_DIGEST_CHARACTERS = 8

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExperimentRun:
    """A run of an experiment, before it is sent."""

    experiment: str
    """Id of the experiment."""
    run_id: str
    """Of the pipeline run that evaluated."""
    parameters: Mapping[str, str | int]
    metrics: Mapping[str, float]
    passed: bool

    @property
    def name(self) -> str:
        """Name in the experiment: the pipeline run's id, cut and with a digest where the SDK could not read it."""
        room = _ID_CHARACTERS - len(self.experiment) - 1
        if len(self.run_id) <= room:
            return self.run_id
        digest = hashlib.sha256(self.run_id.encode()).hexdigest()[:_DIGEST_CHARACTERS]
        return f"{self.run_id[: room - _DIGEST_CHARACTERS - 1]}-{digest}"

    @property
    def context_id(self) -> str:
        """Id of the run's context: the SDK looks for `EXPERIMENT-NAME`."""
        return f"{self.experiment}-{self.name}"

    @property
    def request(self) -> vertex.Context:
        """The run as the message that is sent. Figures that are not finite numbers are left out."""
        figures = {name: value for name, value in self.metrics.items() if math.isfinite(value)}
        return vertex.Context(
            display_name=self.name,
            schema_title=_RUN,
            schema_version=_SCHEMA_VERSION,
            metadata={
                "_params": dict(self.parameters),
                "_metrics": figures,
                "_state": "COMPLETE" if self.passed else "FAILED",
            },
        )


def record_experiment_run(evaluation: Evaluation, experiment: str, result_uri: str = "") -> str:
    """Records the evaluation as a run of the experiment; resource name of the run.

    Best effort: without it the evaluation is as good; then the reason is logged, and the name is empty, as it is for an
    empty `experiment`. The run is in the region of the pipeline run: fallbacks of a deployment share one experiment.
    `result_uri`: gs:// address of the whole result.
    """
    if not (experiment and evaluation.subject.run):
        return ""
    try:
        serving, replicas = served(evaluation.subject.endpoint)
        run = run_of(evaluation, experiment, serving, replicas, result_uri)
        with service_errors(f"Recording {run.context_id}", ServiceError):
            return _write(run, _place(evaluation))
    except VertexVllmError as error:
        log.warning("Vertex Experiments do not show the evaluation: %s", error)
        return ""


def run_of(
    evaluation: Evaluation, experiment: str, serving: Serving, replicas: int, result_uri: str = ""
) -> ExperimentRun:
    """The evaluation as a run: what was served and asked as parameters, all figures as metrics."""
    subject, suite, (passed, sentence) = evaluation.subject, evaluation.asking.suite, verdict_of(evaluation)
    machines = serving.replicas
    run_id = subject.run.rpartition("/")[2]
    parameters: dict[str, str | int] = {
        "deployment": subject.deployment,
        "pipeline_run": run_id,
        "model": serving.model_id,
        "commit": serving.commit,
        "config": serving.config_hash,
        "suite": suite.name,
        "suite_digest": suite.digest,
        "image": serving.image,
        "machine": machines.machine_type,
        "accelerator": machines.accelerator_type,
        "accelerator_count": machines.accelerator_count,
        "replicas": replicas,
        "spot": int(machines.spot),
        "region": machines.region,
        "passed": int(passed),
        "verdict": sentence[:_VERDICT_CHARACTERS],
        "result": result_uri,
    }
    return ExperimentRun(experiment, run_id, parameters, metrics_of(evaluation), passed)


def _place(evaluation: Evaluation) -> ResourceName:
    """The pipeline job, in whose region the run is; the endpoint where the steps run on Kubeflow Pipelines."""
    try:
        return ResourceName.parse(evaluation.subject.run, "pipelineJobs")
    except InputError:
        return ResourceName.parse(evaluation.subject.endpoint, "endpoints")


def _write(run: ExperimentRun, place: ResourceName) -> str:
    """Creates what is missing of store, experiment and run, and overwrites the run that an earlier attempt left."""
    client = metadata_client(place.region)
    store = f"{place.parent}/metadataStores/default"
    _make_store(client, place.parent, store)
    experiment = _make_experiment(client, store, run.experiment)
    name = f"{store}/contexts/{run.context_id}"
    try:
        made = client.create_context(
            parent=store, context=run.request, context_id=run.context_id, retry=RETRY, timeout=CALL_SECONDS
        )
    except AlreadyExists:
        context = run.request
        context.name = name
        made = client.update_context(context=context, retry=RETRY, timeout=CALL_SECONDS)
    # A child that was added already is skipped.
    client.add_context_children(context=experiment, child_contexts=[made.name], retry=RETRY, timeout=CALL_SECONDS)
    log.info("The evaluation is run %s of the Vertex experiment %s", run.name, run.experiment)
    return str(made.name)


def _make_store(client: vertex.MetadataServiceClient, parent: str, store: str) -> None:
    """A region's default store is there after its first pipeline run."""
    try:
        client.get_metadata_store(name=store, retry=RETRY, timeout=CALL_SECONDS)
    except NotFound:
        try:
            client.create_metadata_store(
                parent=parent, metadata_store={}, metadata_store_id="default", timeout=CALL_SECONDS
            ).result(timeout=CALL_SECONDS)
        except AlreadyExists:
            log.info("Another run has created %s", store)
        except TimeoutError as error:
            raise ServiceError(f"creating it took longer than {CALL_SECONDS:.0f} s", where=store) from error


def _make_experiment(client: vertex.MetadataServiceClient, store: str, experiment: str) -> str:
    """Resource name of the experiment. Raises InputError where another kind of context has its id."""
    name = f"{store}/contexts/{experiment}"
    context = vertex.Context(
        display_name=experiment, schema_title=_EXPERIMENT, schema_version=_SCHEMA_VERSION, metadata=_SHOWN_IN_CONSOLE
    )
    try:
        found = client.get_context(name=name, retry=RETRY, timeout=CALL_SECONDS)
    except NotFound:
        try:
            found = client.create_context(
                parent=store, context=context, context_id=experiment, retry=RETRY, timeout=CALL_SECONDS
            )
        except AlreadyExists:
            found = client.get_context(name=name, retry=RETRY, timeout=CALL_SECONDS)
    if found.schema_title != _EXPERIMENT:
        raise InputError(
            f"{experiment} is a {found.schema_title}, not an experiment",
            where=name,
            fix="Name another experiment in evaluation.experiment.",
        )
    return str(found.name)
