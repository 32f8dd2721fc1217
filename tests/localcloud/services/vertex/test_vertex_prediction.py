import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from echo_deployments import Clients, create_endpoint, deployed_model
from google.api import httpbody_pb2
from google.api_core import exceptions

from tests.waiting import PATIENCE_SECONDS, wait_until

INSTANCES = [{"prompt": "What is a car?", "max_tokens": 5}]
ECHOED = [{"from": "echo", "instance": INSTANCES[0]}]
MESSAGES = [{"role": "user", "content": "What is a car?"}]


@pytest.fixture(params=["shared", "dedicated"])
def endpoint(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param}_endpoint")


def domain(endpoint: Any) -> str:
    return str(endpoint.dedicated_endpoint_dns) or "us-central1-aiplatform.googleapis.com"


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_predict(rest: Any, endpoint: Any, version: str) -> None:
    answer = rest.post(
        f"/{version}/{endpoint.name}:predict",
        host=domain(endpoint),
        json={"instances": INSTANCES, "parameters": {"temperature": 1}},
    )
    (deployed,) = endpoint.deployed_models
    assert answer.json() == {
        "predictions": ECHOED,
        "deployedModelId": deployed.id,
        "model": deployed.model,
        "modelDisplayName": "echo",
        "modelVersionId": "1",
        "metadata": {"parameters": {"temperature": 1}},
    }


@pytest.mark.parametrize("method", ["rawPredict", "streamRawPredict"])
def test_raw_predict_passes_bytes(rest: Any, endpoint: Any, method: str) -> None:
    answer = rest.post(
        f"/v1/{endpoint.name}:{method}",
        host=domain(endpoint),
        data=b"\x00\xff",
        headers={"Content-Type": "application/octet-stream"},
    )
    (deployed,) = endpoint.deployed_models
    assert (answer.content, answer.headers["content-type"]) == (b"raw:\x00\xff", "application/octet-stream")
    assert {
        name: answer.headers[f"X-Vertex-AI-{name}"] for name in ("Deployed-Model-Id", "Model", "Model-Version-Id")
    } == {
        "Deployed-Model-Id": deployed.id,
        "Model": deployed.model,
        "Model-Version-Id": "1",
    }


def test_a_stream_comes_as_it_is_made(rest: Any, endpoint: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    answer = rest.post(
        f"/v1/{endpoint.name}:streamRawPredict", host=domain(endpoint), json={"wait_for": str(gate)}, stream=True
    )
    lines = answer.iter_lines()
    assert next(lines) == b"1"
    gate.touch()
    assert next(lines) == b"2"


@pytest.mark.parametrize("method", ["rawPredict", "streamRawPredict"])
def test_a_caller_that_leaves_ends_the_request_at_the_container(
    rest: Any, endpoint: Any, tmp_path: Path, method: str
) -> None:
    path, body = f"/v1/{endpoint.name}:{method}", {"wait_for": str(tmp_path / "gate")}
    with rest.post(path, host=domain(endpoint), json=body, stream=True) as answer:
        assert next(answer.iter_lines()) == b"1"
    wait_until((tmp_path / "left").exists)


def test_a_caller_that_does_not_wait_for_a_prediction(rest: Any, endpoint: Any, tmp_path: Path) -> None:
    body = {"instances": [{"wait_for": str(tmp_path / "gate")}]}
    with pytest.raises(requests.exceptions.ReadTimeout):
        rest.post(f"/v1/{endpoint.name}:predict", host=domain(endpoint), json=body, timeout=0.5)
    wait_until((tmp_path / "left").exists)


def chat_client(rest: Any, endpoint: Any, version: str = "v1beta1") -> openai.OpenAI:
    rest.get(f"/v1/{endpoint.name}")  # fetches the access token
    token = rest.session.credentials.token
    return openai.OpenAI(base_url=f"https://{domain(endpoint)}/{version}/{endpoint.name}", api_key=token, max_retries=0)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_chat_completions(rest: Any, endpoint: Any, version: str) -> None:
    completion = chat_client(rest, endpoint, version).chat.completions.create(model="", messages=MESSAGES)
    assert completion.choices[0].message.content == "You said: What is a car?"


def test_streamed_chat_completions(rest: Any, endpoint: Any) -> None:
    chunks = chat_client(rest, endpoint).chat.completions.create(model="", messages=MESSAGES, stream=True)
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["What", "is", "a", "car?"]


def test_chat_through_predict_answers_one_object(rest: Any, shared_endpoint: Any, dedicated_endpoint: Any) -> None:
    instance = {"@requestFormat": "chatCompletions", "messages": MESSAGES}

    def predictions(endpoint: Any) -> Any:
        path = f"/v1/{endpoint.name}:predict"
        return rest.post(path, host=domain(endpoint), json={"instances": [instance]}).json()["predictions"]

    assert predictions(dedicated_endpoint)["choices"][0]["message"]["content"] == "You said: What is a car?"
    assert predictions(shared_endpoint)[0]["choices"][0]["message"]["content"] == "You said: What is a car?"


def test_the_endpoint_by_project_id(rest: Any, shared_endpoint: Any, module_parent: str) -> None:
    name = f"{module_parent}/endpoints/{shared_endpoint.name.rpartition('/')[2]}"
    assert rest.post(f"/v1/{name}:predict", json={"instances": INSTANCES}).json()["predictions"] == ECHOED


def test_generated_clients(clients: Clients, shared_endpoint: Any) -> None:
    answer = clients.predictions.predict(endpoint=shared_endpoint.name, instances=INSTANCES, parameters={"top_k": 1})
    (deployed,) = shared_endpoint.deployed_models
    assert (answer.deployed_model_id, answer.model_display_name) == (deployed.id, "echo")
    assert dict(answer.predictions[0]["instance"]) == INSTANCES[0]
    assert dict(answer.metadata)["parameters"]["top_k"] == 1


def test_raw_predict_over_grpc(gapic: Clients, shared_endpoint: Any) -> None:
    body = httpbody_pb2.HttpBody(data=b"\x00\xff", content_type="application/octet-stream")
    answer = gapic.predictions.raw_predict(endpoint=shared_endpoint.name, http_body=body)
    assert (answer.data, answer.content_type) == (b"raw:\x00\xff", "application/octet-stream")


def test_streams_over_grpc(gapic: Clients, shared_endpoint: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    body = httpbody_pb2.HttpBody(data=json.dumps({"wait_for": str(gate)}).encode(), content_type="application/json")
    parts: Iterator[Any] = iter(gapic.predictions.stream_raw_predict(endpoint=shared_endpoint.name, http_body=body))
    assert next(parts).data == b"1\n"
    gate.touch()
    assert b"".join(part.data for part in parts) == b"2\n"


def test_chat_completions_over_grpc(gapic: Clients, shared_endpoint: Any) -> None:
    body = httpbody_pb2.HttpBody(data=json.dumps({"messages": MESSAGES}).encode(), content_type="application/json")
    answer = gapic.predictions.chat_completions(endpoint=shared_endpoint.name, http_body=body)
    completion = json.loads(b"".join(part.data for part in answer))
    assert completion["choices"][0]["message"]["content"] == "You said: What is a car?"


@pytest.mark.parametrize(
    "path", [":predict", ":rawPredict", ":streamRawPredict", "/chat/completions", "/invoke/v1/models"]
)
def test_a_dedicated_endpoint_is_not_on_the_shared_domain(rest: Any, dedicated_endpoint: Any, path: str) -> None:
    answer = rest.post(f"/v1/{dedicated_endpoint.name}{path}", json={"instances": INSTANCES})
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        {
            "code": 400,
            "message": "Dedicated Endpoint cannot be accessed through the shared Vertex AI domain "
            "aiplatform.googleapis.com. "
            f"Please access the endpoint using its dedicated domain name '{dedicated_endpoint.dedicated_endpoint_dns}'",
            "status": "FAILED_PRECONDITION",
        },
    )


def test_nor_over_grpc(gapic: Clients, dedicated_endpoint: Any) -> None:
    with pytest.raises(exceptions.FailedPrecondition, match="shared Vertex AI domain"):
        gapic.predictions.predict(endpoint=dedicated_endpoint.name, instances=INSTANCES)


def test_a_dedicated_domain_serves_its_own_endpoint_only(
    rest: Any, shared_endpoint: Any, dedicated_endpoint: Any
) -> None:
    answer = rest.post(
        f"/v1/{shared_endpoint.name}:predict", host=domain(dedicated_endpoint), json={"instances": INSTANCES}
    )
    assert answer.status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}])
@pytest.mark.parametrize("path", [":predict", ":rawPredict", "/chat/completions"])
def test_without_a_token(endpoint: Any, path: str, headers: dict[str, str]) -> None:
    answer = requests.post(f"https://{domain(endpoint)}/v1/{endpoint.name}{path}", json={}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_the_refusal_of_a_container_is_passed_on(rest: Any, endpoint: Any) -> None:
    answer = rest.post(f"/v1/{endpoint.name}:predict", host=domain(endpoint), json={"instances": [{"status": 418}]})
    assert (answer.status_code, answer.json()) == (418, {"error": "as you wished"})


def test_the_refusal_of_a_container_over_grpc(gapic: Clients, shared_endpoint: Any) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="as you wished"):
        gapic.predictions.predict(endpoint=shared_endpoint.name, instances=[{"status": 400}])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "Invalid JSON payload"),
        (b"[]", "Invalid JSON payload"),
        (b'{"instances": []}', "instances"),
        (b'{"instances": [1], "instance": 1}', 'Unknown name "instance"'),
    ],
)
def test_malformed_predict_requests(rest: Any, endpoint: Any, body: bytes, message: str) -> None:
    answer = rest.post(f"/v1/{endpoint.name}:predict", host=domain(endpoint), data=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_the_largest_requests(rest: Any, gapic: Clients, shared_endpoint: Any, dedicated_endpoint: Any) -> None:
    binary = {"Content-Type": "application/octet-stream"}
    path = f"/v1/{shared_endpoint.name}:rawPredict"
    assert rest.post(path, data=b"x" * 1_500_000, headers=binary).status_code == 200
    refused = rest.post(path, data=b"x" * 1_500_001, headers=binary)
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert refused.json()["error"]["message"] == "The request size (1500001 bytes) exceeds 1.500MB limit."
    with pytest.raises(exceptions.FailedPrecondition, match=r"exceeds 1\.500MB limit"):
        gapic.predictions.predict(endpoint=shared_endpoint.name, instances=["x" * 1_500_000])
    path = f"/v1/{dedicated_endpoint.name}:rawPredict"
    large = {"host": domain(dedicated_endpoint), "headers": binary}
    assert rest.post(path, data=b"x" * 10_000_000, **large).status_code == 200
    assert rest.post(path, data=b"x" * 10_000_001, **large).status_code == 413


@pytest.mark.parametrize("path", [":predict", ":rawPredict", "/chat/completions"])
def test_no_such_endpoint(rest: Any, module_parent: str, path: str) -> None:
    answer = rest.post(f"/v1/{module_parent}/endpoints/7{path}", json={"instances": INSTANCES})
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].endswith("/endpoints/7` not found.")


def test_an_answer_that_takes_too_long(rest: Any, gapic: Clients, echo_model: str, parent: str, tmp_path: Path) -> None:
    limit = {"inference_timeout": {"seconds": 1}}
    endpoint = create_endpoint(gapic, parent, dedicated_endpoint_enabled=True, client_connection_config=limit)
    deployed = (
        gapic.endpoints.deploy_model(
            endpoint=endpoint.name, deployed_model=deployed_model(echo_model), traffic_split={"0": 100}
        )
        .result(timeout=PATIENCE_SECONDS)
        .deployed_model
    )
    instances = [{"wait_for": str(tmp_path / "gate")}]
    answer = rest.post(f"/v1/{endpoint.name}:predict", host=domain(endpoint), json={"instances": instances})
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        503,
        f"Took too long to respond when processing endpoint {endpoint.name.rpartition('/')[2]}, "
        f"deployed model id: {deployed.id}",
    )
    wait_until((tmp_path / "left").exists)
    gapic.endpoints.undeploy_model(endpoint=endpoint.name, deployed_model_id=deployed.id).result(
        timeout=PATIENCE_SECONDS
    )


def test_invoke(rest: Any, gapic: Clients, echo_image: str, parent: str) -> None:
    spec = {"image_uri": echo_image, "invoke_route_prefix": "/*", "health_route": "/ping"}
    model = (
        gapic.models.upload_model(parent=parent, model={"display_name": "echo", "container_spec": spec}).result().model
    )
    shared = create_endpoint(gapic, parent)
    with pytest.raises(exceptions.FailedPrecondition, match="dedicated endpoint"):
        gapic.endpoints.deploy_model(endpoint=shared.name, deployed_model=deployed_model(model))
    endpoint = create_endpoint(gapic, parent, dedicated_endpoint_enabled=True)
    operation = gapic.endpoints.deploy_model(
        endpoint=endpoint.name, deployed_model=deployed_model(model), traffic_split={"0": 100}
    )
    deployed = operation.result(timeout=PATIENCE_SECONDS).deployed_model
    for place in ("", f"/deployedModels/{deployed.id}"):
        answer = rest.post(f"/v1/{endpoint.name}{place}/invoke/v1/models?a=b", host=domain(endpoint), data=b"x")
        assert answer.json() == {"path": "/v1/models?a=b", "body": "x", "authorization": None}
    refused = rest.post(f"/v1/{endpoint.name}:predict", host=domain(endpoint), json={"instances": INSTANCES})
    assert (refused.status_code, "/invoke" in refused.text) == (400, True)
    # A deployed model without traffic answers to its own address ("overriding this Endpoint's traffic split").
    operation = gapic.endpoints.deploy_model(
        endpoint=endpoint.name, deployed_model=deployed_model(model), traffic_split={deployed.id: 100, "0": 0}
    )
    other = operation.result(timeout=PATIENCE_SECONDS).deployed_model
    answer = rest.post(f"/v1/{endpoint.name}/deployedModels/{other.id}/invoke/v1/models", host=domain(endpoint))
    assert (answer.status_code, answer.headers["x-vertex-ai-deployed-model-id"]) == (200, other.id)
    for name, split in ((other.id, {deployed.id: 100}), (deployed.id, {})):
        gapic.endpoints.undeploy_model(endpoint=endpoint.name, deployed_model_id=name, traffic_split=split).result(
            timeout=PATIENCE_SECONDS
        )
