import sys
from pathlib import Path
from typing import Any

import pytest
from google.cloud.aiplatform_v1beta1.types import DeployedModel, Model
from hypothesis import given
from hypothesis import strategies as st

from localcloud.containers.launch import Launch
from localcloud.containers.programs import Image
from localcloud.services.vertex.container_launch import plan_launch
from localcloud.services.vertex.container_spec import expand, expand_environment
from localcloud.services.vertex.resource_names import EndpointName, Location

ENDPOINT = EndpointName(Location("123456789012", "us-central1"), "car")
DEPLOYED = DeployedModel(
    id="7",
    model="projects/123456789012/locations/us-central1/models/vllm",
    model_version_id="2",
    dedicated_resources={
        "machine_spec": {"machine_type": "g2-standard-12", "accelerator_type": "NVIDIA_L4", "accelerator_count": 1}
    },
)


SERVER = Image("*", ("{python}", "server.py", "{port}"))


def launch(container_spec: dict[str, Any], image: Image = SERVER) -> Launch:
    return plan_launch(
        endpoint=ENDPOINT,
        deployed=DeployedModel.pb(DEPLOYED),
        version=Model.pb(Model(artifact_uri="gs://models/vllm", container_spec=container_spec)),
        image=image,
        image_uri="registry.example.com/server:1",
        port=4711,
        ready_file=Path("ready"),
        log=Path("log"),
        cloud_environment={"HF_ENDPOINT": "http://127.0.0.1:1"},
    )


def test_what_a_container_is_told() -> None:
    planned = launch(
        {"predict_route": "/generate", "health_route": "/ping", "env": [{"name": "MODEL_ID", "value": "x"}]}
    )
    told = {name: value for name, value in planned.environment.items() if name.startswith(("AIP_", "MODEL_", "HF_"))}
    assert told == {
        "AIP_ACCELERATOR_TYPE": "NVIDIA_L4",
        "AIP_DEPLOYED_MODEL_ID": "7",
        "AIP_ENDPOINT_ID": "car",
        "AIP_FRAMEWORK": "CUSTOM_CONTAINER",
        "AIP_HEALTH_ROUTE": "/ping",
        "AIP_HTTP_PORT": "4711",
        "AIP_MACHINE_TYPE": "g2-standard-12",
        "AIP_MODEL_NAME": "vllm",
        "AIP_MODE": "PREDICTION",
        "AIP_MODE_VERSION": "1.0.0",
        "AIP_PREDICT_ROUTE": "/generate",
        "AIP_PROJECT_NUMBER": "123456789012",
        "AIP_STORAGE_URI": "gs://models/vllm",
        "AIP_VERSION_NAME": "2",
        "HF_ENDPOINT": "http://127.0.0.1:1",
        "MODEL_ID": "x",
    }


def test_a_program_is_given_the_variables_that_its_image_names_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_CACHE", "/cache")
    monkeypatch.setenv("PYTHONPATH", "/packages")
    image = Image("*", ("{python}", "server.py"), ("SERVER_CACHE", "NOT_SET"))
    given = launch({}, image=image).environment
    assert (given["SERVER_CACHE"], "NOT_SET" in given, "PYTHONPATH" in given) == ("/cache", False, False)


def test_the_shells_own_credentials_stay_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert "hf_secret" not in launch({}).environment.values()


def test_program_then_command_then_args() -> None:
    planned = launch({"command": ["sh"], "args": ["--model=$(AIP_STORAGE_URI)", "--port=8080"]})
    assert planned.argv == (sys.executable, "server.py", "4711", "sh", "--model=gs://models/vllm", "--port=8080")


def test_routes_without_a_spec_are_vertex_ais_own() -> None:
    planned = launch({})
    assert (planned.predict_route, planned.health_route) == (
        "/v1/endpoints/car/deployedModels/7:predict",
        "/v1/endpoints/car/deployedModels/7",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(C)", "$(C)"),
        ("$$(A)", "$(A)"),
        ("$A ${A}", "$A ${A}"),
        ("$(A", "$(A"),
        ("$$$(A)", "$1"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_a_variable_refers_to_earlier_ones_only() -> None:
    assert expand_environment(
        [("VAR_1", "foo"), ("VAR_2", "$(VAR_1) $(VAR_3) $(AIP)"), ("VAR_3", "bar")], {"AIP": "x"}
    ) == {
        "VAR_1": "foo",
        "VAR_2": "foo $(VAR_3) x",
        "VAR_3": "bar",
    }


@given(st.text())
def test_text_without_a_dollar_is_left_alone(text: str) -> None:
    text = text.replace("$", "")
    assert expand(text, {"A": "1"}) == text
