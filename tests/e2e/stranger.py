"""The steps of Google's tutorial, written against public client packages alone. Imports nothing of this project.

Usage, with an environment that says which cloud:
    python stranger.py serve PROJECT REPO_ID TRANSPORT   bucket, weights, Model and endpoint, then `ask`; all removed
    python stranger.py ask ENDPOINT [PICTURES]           asks an endpoint; with PICTURES, also about a picture
"""

import json
import sys
import tempfile
from pathlib import Path

import google.auth
import google.auth.transport.requests
import openai
from google.cloud import aiplatform, storage
from huggingface_hub import snapshot_download

REGION = "us-central1"
IMAGE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20250710_0916_RC01"
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAGElEQVR4nGP8z8BAEmAiTfmohlENQ0kDABVgAR/2k0E3"
    "AAAAAElFTkSuQmCC"
)


def service_account(project, bucket):
    """Makes the account of the container, with the role on the bucket that the tutorial gives it.

    Vertex AI's agent gets the roles that Google's page "Use a custom service account" asks for.
    """
    session = google.auth.transport.requests.AuthorizedSession(google.auth.default()[0])

    def send(verb, url, body=None):
        answer = session.request(verb, f"https://{url}", json=body)
        answer.raise_for_status()
        return answer.json()

    def bind(resource, role, email):
        policy = send("POST", f"{resource}:getIamPolicy", {})
        policy.setdefault("bindings", []).append({"role": role, "members": [f"serviceAccount:{email}"]})
        send("POST", f"{resource}:setIamPolicy", {"policy": policy})

    accounts = f"iam.googleapis.com/v1/projects/{project}/serviceAccounts"
    email = send("POST", accounts, {"accountId": "vllm-server"})["email"]
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.admin", "members": {f"serviceAccount:{email}"}})
    bucket.set_iam_policy(policy)
    vertex_ai = f"serviceusage.googleapis.com/v1beta1/projects/{project}/services/aiplatform.googleapis.com"
    agent = send("POST", f"{vertex_ai}:generateServiceIdentity")["response"]["email"]
    bind(f"cloudresourcemanager.googleapis.com/v3/projects/{project}", "roles/aiplatform.serviceAgent", agent)
    bind(f"{accounts}/{email}", "roles/iam.serviceAccountAdmin", agent)
    return email


def serve(project, repo_id, transport):
    # 1. A bucket in the region.
    bucket = storage.Client(project=project).create_bucket(f"{project}-weights", location=REGION)
    assert bucket.location.lower() == REGION
    account = service_account(project, bucket)

    # 2. The weights, from the Hub, into the bucket.
    with tempfile.TemporaryDirectory() as folder:
        snapshot_download(repo_id, local_dir=folder)
        for path in Path(folder).rglob("*"):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and not name.startswith(".cache"):
                bucket.blob(f"model/{name}").upload_from_filename(str(path))

    # 3. Model, endpoint, deployment, with the tutorial's arguments.
    aiplatform.init(project=project, location=REGION, staging_bucket=f"gs://{bucket.name}", api_transport=transport)
    endpoint = aiplatform.Endpoint.create(display_name="stranger", dedicated_endpoint_enabled=True)
    model = aiplatform.Model.upload(
        display_name="stranger",
        serving_container_image_uri=IMAGE,
        serving_container_args=[
            *("python", "-m", "vllm.entrypoints.api_server", "--host=0.0.0.0", "--port=8080"),
            *(f"--model=gs://{bucket.name}/model", "--tensor-parallel-size=1", "--swap-space=16"),
            *("--gpu-memory-utilization=0.9", "--max-model-len=1024", "--dtype=auto", "--max-num-seqs=8"),
            *("--disable-log-stats", "--enforce-eager"),
        ],
        serving_container_ports=[8080],
        serving_container_predict_route="/generate",
        serving_container_health_route="/ping",
        serving_container_shared_memory_size_mb=16 * 1024,
        serving_container_deployment_timeout=7200,
        serving_container_environment_variables={"MODEL_ID": repo_id, "DEPLOY_SOURCE": "notebook"},
    )
    model.deploy(
        endpoint=endpoint,
        machine_type="g2-standard-12",
        accelerator_type="NVIDIA_L4",
        accelerator_count=1,
        service_account=account,
        deploy_request_timeout=1800,
    )

    ask(endpoint, pictures=True)

    # 5. Find the endpoint again by its id; then delete everything.
    again = aiplatform.Endpoint(endpoint.name)
    assert [deployed.display_name for deployed in again.list_models()] == ["stranger"]
    again.undeploy_all()
    again.delete()
    model.delete()
    bucket.delete(force=True)
    assert aiplatform.Endpoint.list() == []
    assert aiplatform.Model.list() == []


def ask(endpoint, pictures):
    # 4. Send requests: predict both ways, with a picture, and chat completions, whole and streamed.
    instance = {"prompt": "What is a car?", "max_tokens": 20, "temperature": 0, "top_p": 1.0, "top_k": 1}
    wrapped = endpoint.predict([{**instance, "raw_response": False}], use_dedicated_endpoint=True).predictions[0]
    raw = endpoint.predict([{**instance, "raw_response": True}], use_dedicated_endpoint=True).predictions[0]
    assert wrapped.startswith("Prompt:\nWhat is a car?\nOutput:\n"), wrapped
    assert raw.strip()
    assert "Prompt:" not in raw
    if pictures:
        about = {**instance, "prompt": "<image>What is this?", "multi_modal_data": {"image": PICTURE}}
        assert endpoint.predict([about]).predictions[0].strip()
    body = json.dumps({"instances": [instance]}).encode()
    plain = endpoint.raw_predict(body, headers={"Content-Type": "application/json"}, use_dedicated_endpoint=True)
    assert plain.json()["predictions"], plain.text

    credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials.refresh(google.auth.transport.requests.Request())
    base_url = f"https://{endpoint.gca_resource.dedicated_endpoint_dns}/v1beta1/{endpoint.resource_name}"
    client = openai.OpenAI(base_url=base_url, api_key=credentials.token)
    content = [{"type": "text", "text": "What is a car?"}]
    if pictures:
        content.insert(0, {"type": "image_url", "image_url": {"url": PICTURE}})
    messages = [{"role": "user", "content": content}]
    chat = client.chat.completions.create(model="", messages=messages, max_tokens=20, temperature=0)
    assert chat.choices[0].message.content.strip()
    stream = client.chat.completions.create(model="", messages=messages, max_tokens=20, temperature=0, stream=True)
    chunks = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert len(chunks) > 2
    assert "".join(filter(None, chunks)).strip()


if sys.argv[1] == "serve":
    serve(*sys.argv[2:5])
else:
    ask(aiplatform.Endpoint(sys.argv[2]), pictures="PICTURES" in sys.argv[3:])
print("done")
