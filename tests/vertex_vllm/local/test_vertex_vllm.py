"""Model Garden's vLLM container behind the service: the tutorial's calls, with real vLLM and real weights."""

from typing import Any

import google.auth
import google.auth.transport.requests
import openai
import pytest
from google.api_core import exceptions
from google.cloud import aiplatform

from tests.demo_project import Served
from tests.localcloud.services.vertex.echo_deployments import REGION, containers_of

IMAGE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20250710_0916_RC01"


def container_args(model: str) -> list[str]:
    flags = ["--tensor-parallel-size=1", "--swap-space=16", "--max-model-len=1024", "--dtype=auto", "--max-num-seqs=4"]
    server = ["python", "-m", "vllm.entrypoints.api_server", "--host=0.0.0.0", "--port=8080"]
    return [*server, f"--model={model}", *flags, "--disable-log-stats"]


def upload(model: str) -> aiplatform.Model:
    return aiplatform.Model.upload(
        display_name="smollm2",
        serving_container_image_uri=IMAGE,
        serving_container_args=container_args(model),
        serving_container_ports=[8080],
        serving_container_predict_route="/generate",
        serving_container_health_route="/ping",
        serving_container_environment_variables={"MODEL_ID": "smollm2", "DEPLOY_SOURCE": "notebook"},
        serving_container_shared_memory_size_mb=16 * 1024,
        serving_container_deployment_timeout=7200,
    )


@pytest.mark.vllm
def test_a_chat_model(cloud: Any, served_text: Served) -> None:
    endpoint = aiplatform.Endpoint(served_text.endpoint)
    instance = {"prompt": "The capital of France is", "max_tokens": 8, "temperature": 0.0, "raw_response": False}
    (answer,) = endpoint.predict(instances=[instance]).predictions
    assert answer.startswith("Prompt:\nThe capital of France is\nOutput:\n")
    assert "Paris" in answer

    credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials.refresh(google.auth.transport.requests.Request())
    chat = openai.OpenAI(
        base_url=f"https://{endpoint.dedicated_endpoint_dns}/v1beta1/{endpoint.resource_name}",
        api_key=credentials.token,
    )
    question = [{"role": "user", "content": "What is the capital of France?"}]
    whole = chat.chat.completions.create(model="", messages=question, max_tokens=16, temperature=0)
    # The answer of so small a model differs from processor to processor, so the test only expects one.
    assert str(whole.choices[0].message.content).strip()
    chunks = list(chat.chat.completions.create(model="", messages=question, max_tokens=16, temperature=0, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == (
        whole.choices[0].message.content
    )
    assert len(chunks) > 2


@pytest.mark.vllm
@pytest.mark.slow
def test_weights_that_are_not_there(cloud: Any, project: str) -> None:
    aiplatform.init(project=project, location=REGION)
    endpoint = aiplatform.Endpoint.create(display_name="smollm2")
    model = upload("gs://no-such-bucket/models/smollm2")
    with pytest.raises(exceptions.FailedPrecondition, match="Model server exited unexpectedly"):
        model.deploy(
            endpoint=endpoint, machine_type="g2-standard-12", accelerator_type="NVIDIA_L4", accelerator_count=1
        )
    (log,) = (cloud.state_dir / "logs" / "containers").glob(f"{endpoint.name}-*.log")
    assert "no-such-bucket" in log.read_text()
    assert containers_of(endpoint.resource_name) == []
    endpoint.delete()
