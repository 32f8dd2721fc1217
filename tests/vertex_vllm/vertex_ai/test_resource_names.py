"""Names as Vertex AI gives them: project id or number, with or without a version."""

import pytest

from vertex_vllm.errors import InputError
from vertex_vllm.vertex_ai.resource_names import ResourceName

NAME = "projects/123456/locations/us-central1/models/vllm-llama@2"


def test_a_name_comes_apart_and_together_again() -> None:
    parsed = ResourceName.parse(NAME, "models")
    assert parsed == ResourceName("123456", "us-central1", "models", "vllm-llama", "2")
    assert str(parsed) == NAME
    assert str(parsed.unversioned) == "projects/123456/locations/us-central1/models/vllm-llama"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("projects/my-project/locations/us-central1/models/vllm-llama@2", True),
        ("projects/123456/locations/us-central1/models/vllm-llama@3", False),
        ("projects/123456/locations/us-central1/models/vllm-llama", False),
        ("projects/123456/locations/europe-west4/models/vllm-llama@2", False),
        ("projects/123456/locations/us-central1/models/vllm-llama-2@2", False),
    ],
)
def test_names_are_compared_without_their_project(other: str, same: bool) -> None:
    assert ResourceName.parse(NAME, "models").names_same(ResourceName.parse(other, "models")) is same


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1234567890",
        "projects/p/locations/us-central1/endpoints/1",
        "projects/p/locations/us-central1/models/",
        "projects/p/locations/us-central1/models/1/operations/2",
        "projects/p/locations/us-central1/models/1?alt=json",
        "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/models/1",
    ],
)
def test_anything_else_is_refused_with_the_form_that_is_wanted(name: str) -> None:
    with pytest.raises(InputError, match="projects/PROJECT/locations/REGION/models/ID"):
        ResourceName.parse(name, "models")
