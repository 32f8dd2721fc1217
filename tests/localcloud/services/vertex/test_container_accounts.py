"""Accounts that containers run as, and that pull their images."""

from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.cloud import artifactregistry_v1, storage
from google.oauth2.credentials import Credentials

from localcloud.daemon import Connection
from tests.accounts import grant, lend_accounts, make_account
from tests.localcloud.services.vertex.echo_deployments import (
    ECHO_ROW,
    REGION,
    Clients,
    containers_of,
    create_endpoint,
    deployed_model,
    upload_echo,
)


@pytest.fixture
def bucket(cloud: Connection, project: str) -> storage.Bucket:
    bucket = storage.Client(project=project).create_bucket(f"{project}-models", location=REGION)
    for name in ("ours/config.json", "theirs/config.json"):
        bucket.blob(name).upload_from_string(b"{}")
    return bucket


def credentials_of(endpoint_name: str) -> tuple[str, Credentials]:
    """Account of the endpoint's container, as the metadata server of its environment names it."""
    (container,) = containers_of(endpoint_name)
    variables = Path(f"/proc/{container}/environ").read_text().split("\0")
    host = next(value.partition("=")[2] for value in variables if value.startswith("GCE_METADATA_HOST="))
    account = f"http://{host}/computeMetadata/v1/instance/service-accounts/default"
    headers = {"Metadata-Flavor": "Google"}
    token = requests.get(f"{account}/token", headers=headers, timeout=20).json()["access_token"]
    return requests.get(f"{account}/email", headers=headers, timeout=20).text.strip(), Credentials(token)


def deploy(gapic: Clients, endpoint: Any, model: str, service_account: str = "") -> None:
    wanted = {**deployed_model(model), "service_account": service_account}
    gapic.endpoints.deploy_model(endpoint=endpoint.name, deployed_model=wanted, traffic_split={"0": 100}).result(
        timeout=60
    )


def clear(gapic: Clients, endpoint: Any) -> None:
    for deployed in gapic.endpoints.get_endpoint(name=endpoint.name).deployed_models:
        gapic.endpoints.undeploy_model(endpoint=endpoint.name, deployed_model_id=deployed.id).result(timeout=60)


def test_without_an_account_a_container_reads_its_artifacts_and_nothing_else(
    cloud: Connection, gapic: Clients, echo_image: str, parent: str, bucket: storage.Bucket
) -> None:
    model = upload_echo(gapic, echo_image, parent)
    spec = {"image_uri": echo_image, "predict_route": "/generate", "health_route": "/ping"}
    model = gapic.models.upload_model(
        parent=parent,
        model={"display_name": "x", "container_spec": spec, "artifact_uri": f"gs://{bucket.name}/ours"},
    ).result()
    endpoint = create_endpoint(gapic, parent)
    deploy(gapic, endpoint, model.model)
    email, credentials = credentials_of(endpoint.name)
    assert email.endswith("-tp.iam.gserviceaccount.com")
    seen = storage.Client(project="nobodys", credentials=credentials).bucket(bucket.name)
    assert seen.blob("ours/config.json").download_as_bytes() == b"{}"
    assert [blob.name for blob in seen.list_blobs(prefix="ours/")] == ["ours/config.json"]
    for refused in (
        lambda: seen.blob("theirs/config.json").download_as_bytes(),
        lambda: list(seen.list_blobs()),
        lambda: seen.blob("ours/more").upload_from_string(b""),
    ):
        with pytest.raises(exceptions.Forbidden):
            refused()
    clear(gapic, endpoint)
    with pytest.raises(exceptions.Forbidden):
        seen.blob("ours/config.json").download_as_bytes()


def test_with_an_account_a_container_is_that_account(
    cloud: Connection, gapic: Clients, echo_model: str, parent: str, project: str, bucket: storage.Bucket
) -> None:
    account = make_account(project, "serving")
    endpoint = create_endpoint(gapic, parent)
    number = endpoint.name.split("/")[1]
    with pytest.raises(exceptions.FailedPrecondition, match=rf"service-{number}@.* on service account {account}"):
        deploy(gapic, endpoint, echo_model, account)
    lend_accounts(project)
    deploy(gapic, endpoint, echo_model, account)
    email, credentials = credentials_of(endpoint.name)
    assert email == account
    with pytest.raises(exceptions.Forbidden, match=rf"{account} does not have storage\.objects\.get"):
        storage.Client(project=project, credentials=credentials).bucket(bucket.name).blob(
            "ours/config.json"
        ).download_as_bytes()
    clear(gapic, endpoint)


def test_who_deploys_needs_to_act_as_the_account(
    cloud: Connection, gapic: Clients, echo_model: str, parent: str, project: str
) -> None:
    account, deployer = make_account(project, "serving"), make_account(project, "deployer")
    grant(project, "roles/aiplatform.user", deployer)
    endpoint = create_endpoint(gapic, parent)
    with cloud.user(deployer), pytest.raises(exceptions.InvalidArgument) as refused:
        deploy(gapic, endpoint, echo_model, account)
    assert refused.value.message == (
        f"You do not have permission to act as service_account: {account}. (or it may not exist)."
    )
    assert containers_of(endpoint.name) == []


def test_an_image_of_another_project_is_pulled_by_an_agent_that_may(
    cloud: Connection, gapic: Clients, parent: str, project: str, echo_image: str
) -> None:
    owner = f"{project}-images"
    artifactregistry_v1.ArtifactRegistryClient().create_repository(
        parent=f"projects/{owner}/locations/us", repository_id="containers", repository={"format_": "DOCKER"}
    ).result()
    image = f"us-docker.pkg.dev/{owner}/containers/echo:1"
    (cloud.state_dir / "images.yaml").write_text(
        f"images:\n  - {{image: '{ECHO_ROW['image']}', command: {ECHO_ROW['command']}}}\n"
        f"  - {{image: '{image}', command: {ECHO_ROW['command']}}}\n"
    )
    model = upload_echo(gapic, image, parent)
    endpoint = create_endpoint(gapic, parent)
    agent = f"service-{endpoint.name.split('/')[1]}@gcp-sa-aiplatform.iam.gserviceaccount.com"
    with pytest.raises(exceptions.FailedPrecondition, match=rf"as {agent}: denied: Permission"):
        deploy(gapic, endpoint, model)
    grant(owner, "roles/artifactregistry.reader", agent)
    deploy(gapic, endpoint, model)
    clear(gapic, endpoint)
