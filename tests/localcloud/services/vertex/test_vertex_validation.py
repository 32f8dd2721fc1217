from typing import Any

import pytest
from google.cloud.aiplatform_v1beta1.types import ModelContainerSpec

from localcloud.core.api_errors import ApiError
from localcloud.services.vertex.container_spec import check_container_spec
from localcloud.services.vertex.registry import check_alias
from localcloud.services.vertex.resource_names import check_endpoint_id, check_model_id
from localcloud.services.vertex.validation import Violations, check_update_mask


@pytest.mark.parametrize("model_id", ["vllm", "_vllm", "vllm-8b_x", "v" * 63])
def test_model_ids(model_id: str) -> None:
    check_model_id(model_id)


@pytest.mark.parametrize("model_id", ["8b", "-vllm", "Vllm", "vllm.8b", "v" * 64, "ä", "a b", "a\n"])
def test_malformed_model_ids(model_id: str) -> None:
    with pytest.raises(ApiError) as refusal:
        check_model_id(model_id)
    assert refusal.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("endpoint_id", ["a", "vllm-8b", "a" * 63, "1", "123456789"])
def test_endpoint_ids(endpoint_id: str) -> None:
    check_endpoint_id(endpoint_id)


@pytest.mark.parametrize(
    "endpoint_id", ["vllm-", "vllm_8b", "a" * 64, "0", "012", "1234567890", "1a", "-a", "A", "a\n"]
)
def test_malformed_endpoint_ids(endpoint_id: str) -> None:
    with pytest.raises(ApiError) as refusal:
        check_endpoint_id(endpoint_id)
    assert refusal.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("alias", ["live", "default", "v1", "a-B-9", "a" * 128])
def test_aliases(alias: str) -> None:
    check_alias(alias)


@pytest.mark.parametrize("alias", ["1", "Live", "a", "a-", "a_b", "a" * 129])
def test_malformed_aliases(alias: str) -> None:
    with pytest.raises(ApiError) as refusal:
        check_alias(alias)
    assert refusal.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "image_uri"),
        ({"image_uri": "x", "predict_route": "generate"}, "predict_route"),
        ({"image_uri": "x", "health_route": "ping"}, "health_route"),
        ({"image_uri": "x", "invoke_route_prefix": "/v1"}, "invoke_route_prefix"),
        ({"image_uri": "x", "invoke_route_prefix": "/*", "predict_route": "/generate"}, "invoke_route_prefix"),
        ({"image_uri": "x", "ports": [{"container_port": 70000}]}, "ports"),
        ({"image_uri": "x", "env": [{"name": "A B", "value": "1"}]}, "env"),
        ({"image_uri": "x", "deployment_timeout": {"seconds": 7201}}, "deployment_timeout"),
        ({"image_uri": "x", "shared_memory_size_mb": -1}, "shared_memory_size_mb"),
    ],
)
def test_container_specs_that_vertex_refuses(spec: dict[str, Any], field: str) -> None:
    violations = Violations()
    check_container_spec(ModelContainerSpec.pb(ModelContainerSpec(spec)), violations)
    with pytest.raises(ApiError) as refusal:
        violations.raise_any()
    assert refusal.value.message.startswith(f"List of found errors:\t1.Field: model.container_spec.{field}; Message: ")


def test_all_violations_are_told_at_once() -> None:
    violations = Violations()
    violations.display_name("endpoint.display_name", "")
    violations.labels("endpoint.labels", {"Team": "blue", "stage": "Live", "ok": "", "größe_1": "x"})
    with pytest.raises(ApiError) as refusal:
        violations.raise_any()
    assert refusal.value.message == (
        "List of found errors:"
        "\t1.Field: endpoint.display_name; Message: Required field is not set."
        "\t2.Field: endpoint.labels; Message: Invalid label key `Team`."
        "\t3.Field: endpoint.labels; Message: Invalid value `Live` of label `stage`.\t"
    )


@pytest.mark.parametrize("paths", [[], ["labels", "dedicated_endpoint_enabled"]])
def test_update_masks_that_are_refused(paths: list[str]) -> None:
    with pytest.raises(ApiError) as refusal:
        check_update_mask(paths, {"labels", "display_name"})
    assert refusal.value.code == "INVALID_ARGUMENT"
