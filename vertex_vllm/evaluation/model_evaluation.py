"""Imports the evaluation into Vertex AI's Model Registry: the console shows it with the model version."""

import logging

from google.cloud import aiplatform_v1beta1 as vertex
from google.protobuf import struct_pb2

from vertex_vllm.errors import InputError, ServiceError, VertexVllmError
from vertex_vllm.evaluation.evaluate import Evaluation, metrics_of
from vertex_vllm.evaluation.gates import verdict_of
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY, endpoint_client, model_client, service_errors
from vertex_vllm.vertex_ai.endpoints import get_endpoint
from vertex_vllm.vertex_ai.resource_names import ResourceName

SCHEMA = "gs://google-cloud-aiplatform/schema/modelevaluation/question_answering_metrics_1.0.0.yaml"
"""Google's schema whose figure is the share of exact answers: google-cloud-pipeline-components 2.22 imports by it."""
_DISPLAY_NAME_CHARACTERS = 128

log = logging.getLogger(__name__)


def import_evaluation(evaluation: Evaluation, result_uri: str = "") -> str:
    """Imports the evaluation for the model version that the endpoint serves; its resource name.

    Best effort: after a failure the reason is logged and the name is empty. `result_uri`:
    gs:// address of the whole result, which is named in the metadata.
    """
    endpoint = ResourceName.parse(evaluation.subject.endpoint, "endpoints")
    try:
        with service_errors(f"Importing the evaluation of {endpoint.id}", ServiceError):
            found = get_endpoint(endpoint_client(endpoint.region), str(endpoint))
            if found is None or len(found.deployed_models) != 1:
                raise InputError("the endpoint has not exactly one deployed model", where=str(endpoint))
            (deployed,) = found.deployed_models
            model = ResourceName.parse(deployed.model, "models")
            version = str(model.with_version(model.version or deployed.model_version_id))
            imported = model_client(model.region).import_model_evaluation(
                parent=version, model_evaluation=request_of(evaluation, result_uri), retry=RETRY, timeout=CALL_SECONDS
            )
    except VertexVllmError as error:
        log.warning("The console does not show the evaluation with the model version: %s", error)
        return ""
    return str(imported.name)


def request_of(evaluation: Evaluation, result_uri: str = "") -> vertex.ModelEvaluation:
    """The evaluation as the message that is sent: the share of right answers, all other figures as metadata."""
    figures = metrics_of(evaluation)
    suite, (passed, sentence) = evaluation.asking.suite, verdict_of(evaluation)
    metadata = {
        "pipeline_job_resource_name": evaluation.subject.run,
        "evaluation_dataset_type": "jsonl",
        "evaluation_dataset_path": [f"{suite.name} {suite.digest}"],
        "result": result_uri,
        "passed": passed,
        "verdict": sentence,
        "figures": figures,
    }
    name = f"{suite.name}, {evaluation.started_at[:16]}"
    return vertex.ModelEvaluation(
        display_name=name[:_DISPLAY_NAME_CHARACTERS],
        metrics_schema_uri=SCHEMA,
        metrics=_value({"exactMatch": figures.get("exact_match", 0.0)}),
        metadata=_value(metadata),
    )


def _value(fields: dict[str, object]) -> struct_pb2.Value:
    value = struct_pb2.Value()
    value.struct_value.update(fields)
    return value
