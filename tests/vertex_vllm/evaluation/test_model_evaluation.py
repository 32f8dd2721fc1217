"""The evaluation in the Model Registry."""

from dataclasses import replace
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument, NotFound
from google.cloud import aiplatform_v1beta1 as vertex
from google.protobuf import json_format, struct_pb2

from tests.vertex_vllm.evaluation.evaluated_endpoint import Evaluated
from tests.vertex_vllm.evaluation.evaluations import EVALUATION
from vertex_vllm.evaluation.evaluate import Evaluation
from vertex_vllm.evaluation.model_evaluation import SCHEMA, import_evaluation, request_of


def of(served: Evaluated) -> Evaluation:
    return replace(EVALUATION, subject=replace(EVALUATION.subject, endpoint=served.endpoint))


def test_the_version_that_is_served_shows_it(served: Evaluated) -> None:
    (version,) = served.in_vertex.versions()
    client = served.in_vertex.model_client
    name = import_evaluation(of(served), "gs://b/evaluations/demo/runs/run-2.json")
    (found,) = client.list_model_evaluations(parent=f"{version.name.partition('@')[0]}@{version.version_id}")
    assert (found.name, found.display_name) == (name, "mine, 2026-11-22T12:00")
    assert client.get_model_evaluation(name=name) == found
    assert json_format.MessageToDict(vertex.ModelEvaluation.pb(found).metrics) == {"exactMatch": 0.25}
    metadata = json_format.MessageToDict(vertex.ModelEvaluation.pb(found).metadata)
    assert metadata["figures"]["failed_requests"] == 1.0
    assert metadata["result"] == "gs://b/evaluations/demo/runs/run-2.json"


def test_a_refusal_is_logged(served: Evaluated, cloud: Any, caplog: pytest.LogCaptureFixture) -> None:
    cloud.add_fault(rpc="ImportModelEvaluation", kind="error", code="PERMISSION_DENIED", times=1)
    assert import_evaluation(of(served)) == ""
    assert "The console does not show the evaluation with the model version: " in caplog.text


def test_an_endpoint_that_is_gone_is_logged(served: Evaluated, caplog: pytest.LogCaptureFixture) -> None:
    gone = replace(EVALUATION.subject, endpoint=f"{served.endpoint}-gone")
    assert import_evaluation(replace(EVALUATION, subject=gone)) == ""
    assert "not exactly one deployed model" in caplog.text


@pytest.mark.parametrize(
    ("schema", "metrics", "told"),
    [
        ("gs://my-bucket/schema.yaml", {"exactMatch": 0.5}, "Invalid metrics_schema_uri"),
        (SCHEMA, {}, "at least one figure"),
        (SCHEMA, {"exact_match": 0.5}, "is not a figure of"),
        (SCHEMA, {"exactMatch": "half"}, "must be a number"),
    ],
)
def test_the_local_cloud_refuses_figures_that_are_not_of_the_schema(
    served: Evaluated, schema: str, metrics: dict[str, Any], told: str
) -> None:
    (version,) = served.in_vertex.versions()
    evaluation = request_of(EVALUATION)
    evaluation.metrics_schema_uri = schema
    value = struct_pb2.Value()
    value.struct_value.update(metrics)
    evaluation.metrics = value
    with pytest.raises(InvalidArgument, match=told):
        served.in_vertex.model_client.import_model_evaluation(parent=version.name, model_evaluation=evaluation)


def test_an_evaluation_that_is_not_there(served: Evaluated) -> None:
    (version,) = served.in_vertex.versions()
    model = version.name.partition("@")[0]
    with pytest.raises(NotFound):
        served.in_vertex.model_client.get_model_evaluation(name=f"{model}/evaluations/1")
    with pytest.raises(NotFound):
        served.in_vertex.model_client.import_model_evaluation(
            parent=f"{model}@77", model_evaluation=request_of(EVALUATION)
        )
