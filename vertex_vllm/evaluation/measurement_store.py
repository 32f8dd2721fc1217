"""Throughputs that evaluations have measured, kept in the bucket that the weights were served from, for later plans.

`gs://BUCKET/measurements/OWNER/NAME/COMMIT/HASH.json`: the newest of each machine, image, arguments and concurrency.
"""

import hashlib
import json
import logging
from dataclasses import asdict

from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import InputError, ServiceError, VertexVllmError
from vertex_vllm.evaluation.evaluate import Evaluation
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.hub.hub_names import check_model_id
from vertex_vllm.planning.difference import Serving
from vertex_vllm.planning.measurement import Measurement, parse_measurements
from vertex_vllm.vertex_ai.clients import endpoint_client, service_errors
from vertex_vllm.vertex_ai.endpoints import get_endpoint
from vertex_vllm.vertex_ai.resource_names import ResourceName
from vertex_vllm.vertex_ai.serving_now import serving_of

PREFIX = "measurements"
# An object's name depends on what was measured, not on the figure, its date or its place.
_FIGURES = (
    *("output_tokens_per_second", "input_tokens_per_second", "measured_at", "source", "requests_per_second"),
    "saturation_output_tokens_per_second",
)
# Most measurements of one model that a plan reads.
_MOST_READ = 200

log = logging.getLogger(__name__)


def record_throughput(evaluation: Evaluation) -> None:
    """Stores the evaluation's throughput where a later plan looks for it.

    Best effort: a failure is logged, and the evaluation succeeds without it. Nothing is written where it is
    no throughput of one deployment: tokens were not counted, a request of the load failed, models share the endpoint.
    """
    try:
        serving, replicas = served(evaluation.subject.endpoint)
        measurement = measurement_of(evaluation, serving, replicas)
        _write(ResourceName.parse(evaluation.subject.endpoint, "endpoints").project, serving.weights, measurement)
    except VertexVllmError as error:
        log.warning("The throughput is not written down for later plans: %s", error)


def measurement_of(evaluation: Evaluation, serving: Serving, replicas: int) -> Measurement:
    """The throughput under load as a value. Raises InputError where the load measured none."""
    result = evaluation.load.result
    if result is None:
        raise InputError(evaluation.load.failure or "no load was put on the endpoint")
    figures = evaluation.load.within_slo or result.figures
    if figures.failed:
        raise InputError(f"{figures.failed} of {figures.requests} requests of the load failed")
    if not figures.output_tokens_per_second:
        raise InputError("tokens were not counted: predict answers without, chat completions with a count")
    fastest = evaluation.load.saturation
    return Measurement(
        model_id=check_model_id(serving.model_id),
        commit=serving.commit,
        machine_type=serving.replicas.machine_type,
        accelerator_type=serving.replicas.accelerator_type,
        accelerator_count=serving.replicas.accelerator_count,
        replicas=replicas,
        image=serving.image,
        args=tuple(text for text in serving.args if not text.startswith("--model=")),
        concurrency=figures.concurrency or figures.most_under_way,
        output_tokens_per_second=figures.output_tokens_per_second,
        input_tokens_per_second=figures.input_tokens_per_second or None,
        measured_at=evaluation.started_at,
        source=evaluation.subject.endpoint,
        load=result.settings.lengths,
        requests_per_second=figures.rate or None,
        slo=result.settings.slo.words if evaluation.load.within_slo else "",
        saturation_output_tokens_per_second=fastest.output_tokens_per_second if fastest else None,
    )


def object_name(measurement: Measurement) -> str:
    """Path of its object in the bucket; a later measurement of the same configuration replaces it."""
    # Of an open loop the requests at once are a figure, too.
    figures = (*_FIGURES, "concurrency") if measurement.requests_per_second else _FIGURES
    of_what = {name: value for name, value in asdict(measurement).items() if name not in figures}
    digest = hashlib.sha256(json.dumps(of_what, sort_keys=True).encode()).hexdigest()[:10]
    return f"{PREFIX}/{measurement.model_id}/{measurement.commit or 'unknown'}/{digest}.json"


def read_throughputs(project: str, bucket: str, model_id: str) -> tuple[Measurement, ...]:
    """All stored throughputs of a model in a bucket. Objects that cannot be read are left out and logged."""
    from google.api_core.exceptions import NotFound

    prefix = f"gs://{bucket}/{PREFIX}/{model_id}/"
    found: list[Measurement] = []
    try:
        with google_errors("Cloud Storage", prefix):
            listed = storage_client(project).list_blobs(bucket, prefix=f"{PREFIX}/{model_id}/", max_results=_MOST_READ)
            try:
                blobs = list(listed)
            except NotFound:
                return ()  # Before its first run a deployment has no bucket.
            for blob in blobs:
                try:
                    found += parse_measurements(blob.download_as_bytes().decode())
                except (NotFound, ValueError) as error:
                    log.warning("gs://%s/%s holds no measurement: %s", bucket, blob.name, error)
    except ServiceError as error:
        log.warning("Throughputs in %s could not be read: %s", prefix, error)
    return tuple(found)


def served(endpoint_name: str) -> tuple[Serving, int]:
    """The served model of the endpoint, and its number of replicas.

    Raises InputError where its answers are not those of one model, ServiceError for what Vertex AI refuses.
    """
    name = ResourceName.parse(endpoint_name, "endpoints")
    with service_errors(f"Looking for what {name.id} serves", ServiceError):
        endpoint = get_endpoint(endpoint_client(name.region), str(name))
        if endpoint is None or len(endpoint.deployed_models) != 1:
            raise InputError("the endpoint has not exactly one deployed model", where=str(name))
        (deployed,) = endpoint.deployed_models
        serving = serving_of(endpoint, deployed)
    return serving, _running(deployed, serving)


def _running(deployed: vertex.DeployedModel, serving: Serving) -> int:
    """Replicas that answer. Raises InputError where their number is unknown."""
    told = deployed.status.available_replica_count
    if not told and serving.replicas.least != serving.replicas.most:
        raise InputError("how many replicas answered is not known", where=serving.endpoint)
    return int(told or serving.replicas.least)


def _write(project: str, weights: str, measurement: Measurement) -> None:
    """Raises InputError for weights that are not in Cloud Storage, ServiceError where that refuses."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    if not weights.startswith("gs://"):
        raise InputError("the weights are not in Cloud Storage", where=measurement.source)
    bucket, name = weights.removeprefix("gs://").partition("/")[0], object_name(measurement)
    with google_errors("Cloud Storage", f"gs://{bucket}/{name}"):
        blob = storage_client(project).bucket(bucket).blob(name)
        # Writing the same bytes twice does no harm, so a failed request may be retried.
        blob.upload_from_string(measurement.to_json(), content_type="application/json", retry=DEFAULT_RETRY)
    log.info("The throughput is in gs://%s/%s for later plans", bucket, name)
