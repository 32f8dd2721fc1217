"""An error of a worker process arrives as it was raised: class, texts and data."""

import json

import pytest

from vertex_vllm.error_data import Refusal
from vertex_vllm.errors import BucketError, HubAccessError, MirrorError, ServiceError, VertexVllmError
from vertex_vllm.mirror.worker_errors import error_from, fields_of


@pytest.mark.parametrize(
    "error",
    [
        MirrorError("was changed", where="gs://b/m", fix="Try again.", path="m/model.safetensors"),
        HubAccessError("refuses", repo="a/b", revision="main", path="x.json"),
        BucketError("no bucket", bucket="b", refusal=Refusal("404", "no bucket", "notFound", details={"a": "b"})),
        ServiceError("away", where="gs://b", refusal=Refusal("UNAVAILABLE", "away")),
    ],
)
def test_an_error_keeps_its_class_its_texts_and_its_data(error: VertexVllmError) -> None:
    again = error_from(json.loads(json.dumps(fields_of(error))))
    assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))
    assert (again.retryable, again.exit_code) == (error.retryable, error.exit_code)


def test_an_error_of_another_module_arrives_as_a_service_error() -> None:
    class OtherError(ServiceError):
        pass

    assert type(error_from(fields_of(OtherError("away")))) is ServiceError
