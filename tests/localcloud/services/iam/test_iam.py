"""IAM, Service Usage and project policies: kept, and refused where the real ones refuse."""

from typing import Any

import google.auth
import pytest
from google.api_core import exceptions
from google.auth import jwt
from google.auth.transport.requests import AuthorizedSession
from google.cloud import resourcemanager_v3, service_usage_v1
from google.iam.v1.policy_pb2 import Binding

from localcloud.daemon import Connection

IAM = "https://iam.googleapis.com/v1"


@pytest.fixture
def session(cloud: Connection) -> Any:
    credentials, _ = google.auth.default()
    return AuthorizedSession(credentials)


def make_account(session: AuthorizedSession, project: str, account_id: str = "some-account") -> Any:
    body = {"accountId": account_id, "serviceAccount": {"displayName": "Some account"}}
    return session.post(f"{IAM}/projects/{project}/serviceAccounts", json=body)


def test_a_service_account_is_made_found_listed_and_deleted(session: AuthorizedSession, project: str) -> None:
    made = make_account(session, project).json()
    email = f"some-account@{project}.iam.gserviceaccount.com"
    assert (made["email"], made["displayName"]) == (email, "Some account")
    accounts = f"{IAM}/projects/{project}/serviceAccounts"
    assert session.get(f"{accounts}/{email}").json() == made
    assert session.get(accounts).json() == {"accounts": [made]}
    assert make_account(session, project).status_code == 409
    assert make_account(session, project, "short").status_code == 400
    assert session.delete(f"{accounts}/{email}").json() == {}
    assert session.get(f"{accounts}/{email}").status_code == 404


def test_nobody_gets_in_without_a_token(cloud: Connection, project: str) -> None:
    import requests

    answer = requests.get(f"{IAM}/projects/{project}/serviceAccounts", timeout=20)
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


def test_an_account_s_policy_is_written_by_its_latest_reader_alone(session: AuthorizedSession, project: str) -> None:
    account = f"{IAM}/projects/{project}/serviceAccounts/{make_account(session, project).json()['email']}"
    policy = session.post(f"{account}:getIamPolicy").json()
    policy["bindings"] = [{"role": "roles/iam.serviceAccountUser", "members": ["user:a@example.com"]}]
    written = session.post(f"{account}:setIamPolicy", json={"policy": policy})
    assert session.post(f"{account}:getIamPolicy").json() == written.json()
    assert session.post(f"{account}:setIamPolicy", json={"policy": policy}).status_code == 409
    assert session.post(f"{account}:setIamPolicy", json={"policy": {"bindings": 1}}).status_code == 400


def test_github_s_issuer_needs_a_condition_and_a_deleted_pool_keeps_its_name(
    session: AuthorizedSession, project: str
) -> None:
    pools = f"{IAM}/projects/{project}/locations/global/workloadIdentityPools"
    assert session.post(f"{pools}?workloadIdentityPoolId=gcp-pool", json={}).status_code == 400
    assert session.post(f"{pools}?workloadIdentityPoolId=pool", json={}).json()["done"]
    provider = {
        "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"},
        "attributeMapping": {"google.subject": "assertion.sub"},
    }
    create = f"{pools}/pool/providers?workloadIdentityPoolProviderId=provider"
    refused = session.post(create, json=provider)
    assert "attribute condition must reference" in refused.json()["error"]["message"]
    condition = {"attributeCondition": "assertion.repository == 'a/b'"}
    assert session.post(create, json=provider | condition).json()["response"]["state"] == "ACTIVE"
    session.delete(f"{pools}/pool")
    assert session.get(f"{pools}/pool").json()["state"] == "DELETED"
    assert session.post(f"{pools}?workloadIdentityPoolId=pool", json={}).status_code == 409
    session.post(f"{pools}/pool:undelete")
    assert session.get(f"{pools}/pool").json()["state"] == "ACTIVE"


def test_pools_and_providers_are_listed_changed_and_told_of_by_operations(
    session: AuthorizedSession, project: str
) -> None:
    pools = f"{IAM}/projects/{project}/locations/global/workloadIdentityPools"
    operation = session.post(f"{pools}?workloadIdentityPoolId=night", json={"displayName": "Night"}).json()
    name = operation["response"]["name"]
    assert operation["response"] == {
        "@type": "type.googleapis.com/google.iam.v1.WorkloadIdentityPool",
        "name": name,
        "displayName": "Night",
        "state": "ACTIVE",
    }
    assert session.get(f"{IAM}/{operation['name']}").json() == operation
    provider = {
        "oidc": {"issuerUri": "https://issuer.example"},
        "attributeMapping": {"google.subject": "assertion.sub"},
    }
    made = session.post(f"{pools}/night/providers?workloadIdentityPoolProviderId=issuer", json=provider).json()
    providers = f"{pools}/night/providers"
    changed = session.patch(
        f"{providers}/issuer?updateMask=oidc.allowedAudiences", json={"oidc": {"allowedAudiences": ["a"]}}
    )
    oidc = {"issuerUri": "https://issuer.example", "allowedAudiences": ["a"]}
    assert changed.json()["response"]["oidc"] == oidc
    assert session.patch(f"{pools}/night?updateMask=disabled", json={"disabled": True}).json()["response"]["disabled"]
    assert session.patch(f"{pools}/night?updateMask=state", json={}).status_code == 400
    assert session.get(pools).json() == {"workloadIdentityPools": [session.get(f"{pools}/night").json()]}
    listed = session.get(providers).json()["workloadIdentityPoolProviders"]
    assert [one["name"] for one in listed] == [made["response"]["name"]]
    deleted = session.delete(f"{providers}/issuer").json()["response"]
    assert (deleted["state"], "expireTime" in deleted) == ("DELETED", True)
    assert session.get(providers).json() == {}
    assert len(session.get(providers, params={"showDeleted": "true"}).json()["workloadIdentityPoolProviders"]) == 1


def test_a_policy_s_version_tells_of_conditions(session: AuthorizedSession, project: str) -> None:
    account = f"{IAM}/projects/{project}/serviceAccounts/{make_account(session, project).json()['email']}"
    first = session.post(f"{account}:getIamPolicy").json()
    binding = {"role": "roles/iam.serviceAccountUser", "members": ["user:a@example.com"]}
    plain = session.post(f"{account}:setIamPolicy", json={"policy": {"version": 3, "bindings": [binding]}}).json()
    conditional = {
        **binding,
        "condition": {"title": "soon", "expression": "request.time < timestamp('2030-01-01T00:00:00Z')"},
    }
    limited = session.post(f"{account}:setIamPolicy", json={"policy": {"version": 3, "bindings": [conditional]}}).json()

    assert first == {"etag": "QUNBQg=="}
    assert (plain["version"], limited["version"]) == (1, 3)


@pytest.mark.parametrize("transport", ["grpc", pytest.param("rest", marks=pytest.mark.slow)])
def test_an_api_is_disabled_until_it_is_enabled(cloud: Connection, project: str, transport: str) -> None:
    client = service_usage_v1.ServiceUsageClient(transport=transport)
    name = f"projects/{project}/services/aiplatform.googleapis.com"
    assert client.get_service(request={"name": name}).state.name == "DISABLED"
    assert client.enable_service(request={"name": name}).result().service.state.name == "ENABLED"
    (service,) = client.list_services(request={"parent": f"projects/{project}"})
    assert service == client.get_service(request={"name": name})
    assert client.disable_service(request={"name": name}).result().service.state.name == "DISABLED"
    with pytest.raises(exceptions.Forbidden):
        client.get_service(request={"name": f"projects/{project}/services/no-such-api"})


@pytest.mark.parametrize("transport", ["grpc", pytest.param("rest", marks=pytest.mark.slow)])
def test_a_project_has_a_policy(cloud: Connection, session: AuthorizedSession, project: str, transport: str) -> None:
    client = resourcemanager_v3.ProjectsClient(transport=transport)
    policy = client.get_iam_policy(resource=f"projects/{project}")
    member = f"serviceAccount:some-account@{project}.iam.gserviceaccount.com"
    policy.bindings.append(Binding(role="roles/aiplatform.user", members=[member]))
    request = {"resource": f"projects/{project}", "policy": policy}
    with pytest.raises(exceptions.BadRequest, match="does not exist"):
        client.set_iam_policy(request=request)
    make_account(session, project)
    written = client.set_iam_policy(request=request)
    assert client.get_iam_policy(resource=f"projects/{project}") == written
    with pytest.raises(exceptions.Conflict):
        client.set_iam_policy(request=request)


def test_a_service_identity_is_the_api_s_own_account(session: AuthorizedSession, project: str) -> None:
    services = f"https://serviceusage.googleapis.com/v1beta1/projects/{project}/services"
    number = resourcemanager_v3.ProjectsClient().get_project(name=f"projects/{project}").name.partition("/")[2]

    def identity(api: str) -> Any:
        return session.post(f"{services}/{api}:generateServiceIdentity").json()

    made, again = identity("secretmanager.googleapis.com"), identity("secretmanager.googleapis.com")
    assert made["response"] == again["response"]
    assert (made["done"], made["name"].startswith("operations/")) == (True, True)
    assert made["response"]["email"] == f"service-{number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
    assert made["response"]["uniqueId"].isdigit()
    kind = "type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity"
    assert identity("bigquery.googleapis.com")["response"] == {"@type": kind}
    assert identity("unheard-of.googleapis.com")["error"]["status"] == "UNIMPLEMENTED"


def test_operations_of_service_usage_belong_to_nothing(session: AuthorizedSession, project: str) -> None:
    api = "https://serviceusage.googleapis.com"
    operation = session.post(f"{api}/v1/projects/{project}/services/run.googleapis.com:enable", json={}).json()
    assert operation["name"].split("/")[0] == "operations"
    assert operation["metadata"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
    assert operation["response"]["service"]["state"] == "ENABLED"
    for version in ("v1", "v1beta1"):
        assert session.get(f"{api}/{version}/{operation['name']}").json() == operation


def test_an_answer_holds_the_fields_that_were_asked_for(session: AuthorizedSession, project: str) -> None:
    api = f"https://serviceusage.googleapis.com/v1/projects/{project}/services"
    for name in ("aiplatform", "run"):
        session.post(f"{api}/{name}.googleapis.com:enable", json={})
    listed = session.get(api, params={"fields": "services(name,state),nextPageToken"}).json()["services"]

    assert [set(service) for service in listed] == [{"name", "state"}] * 2
    assert session.get(api, params={"$fields": "services/config/name"}).json() == {
        "services": [{"config": {"name": f"{name}.googleapis.com"}} for name in ("aiplatform", "run")]
    }
    refused = session.get(api, params={"fields": "services("}).json()["error"]
    assert (refused["status"], refused["message"]) == ("INVALID_ARGUMENT", "Invalid field selection services(")


def test_a_person_s_login_brings_an_identity_token(cloud: Connection) -> None:
    import requests

    form = {"grant_type": "refresh_token", "client_id": "my-client", "client_secret": "x"}
    form["refresh_token"] = cloud.refresh_token("")
    answer = requests.post("https://oauth2.googleapis.com/token", data=form, timeout=20).json()
    claims = jwt.decode(answer["id_token"], verify=False)
    assert (claims["aud"], claims["iss"]) == ("my-client", "https://accounts.google.com")
