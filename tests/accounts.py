"""Accounts and grants that tests need, created by the owner of all projects through the same APIs as a person's."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from google.auth.transport.requests import AuthorizedSession
from google.cloud import resourcemanager_v3, service_usage_v1
from google.cloud.storage import Client

from vertex_vllm.google.shared_clients import default_credentials, google_client

_IAM = "https://iam.googleapis.com/v1"


@cache
def owner_session() -> Any:
    """Requests with the default credential, over connections that are kept."""
    return AuthorizedSession(default_credentials())


def make_account(project: str, account_id: str) -> str:
    """A service account without any role, or the one that has this id; returns its email."""
    email = f"{account_id}@{project}.iam.gserviceaccount.com"
    made = owner_session().post(f"{_IAM}/projects/{project}/serviceAccounts", json={"accountId": account_id})
    assert made.ok or made.status_code == 409, made.text
    return email


def grant(project: str, role: str, *emails: str) -> None:
    """The role on the whole project."""
    grant_all(project, {role: emails})


def grant_all(project: str, members: Mapping[str, Collection[str]]) -> None:
    """The roles on the whole project, each to the emails of its accounts."""
    client = google_client(resourcemanager_v3.ProjectsClient)
    policy = client.get_iam_policy(resource=f"projects/{project}")
    for role, emails in members.items():
        policy.bindings.add(role=role, members=[f"serviceAccount:{email}" for email in emails])
    client.set_iam_policy(request={"resource": f"projects/{project}", "policy": policy})


def grant_on_bucket(bucket: str, role: str, email: str) -> None:
    found = Client().bucket(bucket)
    policy = found.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": role, "members": {f"serviceAccount:{email}"}})
    found.set_iam_policy(policy)


def classic_project(project: str) -> str:
    """Makes `project` as projects were before 2024: Compute Engine's API on, its default account an editor.

    Pipeline jobs that name no account then run as that account, and may do most things; returns its email.
    """
    client = google_client(service_usage_v1.ServiceUsageClient)
    service = client.enable_service(request={"name": f"projects/{project}/services/compute.googleapis.com"}).result()
    number = service.service.parent.partition("/")[2]
    email = f"{number}-compute@developer.gserviceaccount.com"
    grant(project, "roles/editor", email)
    return email


def lend_accounts(project: str) -> None:
    """Lets Vertex AI's agent lend the project's accounts to containers, as Google's page asks for."""
    service = f"projects/{project}/services/aiplatform.googleapis.com"
    url = f"https://serviceusage.googleapis.com/v1beta1/{service}:generateServiceIdentity"
    agent = owner_session().post(url, json={}).json()["response"]["email"]
    grant_all(project, {"roles/aiplatform.serviceAgent": [agent], "roles/iam.serviceAccountAdmin": [agent]})


# Accounts that tests name without creating them: the one that runs jobs, and the one that serves.
_NAMED = (("some-project", "runner"), ("some-project", "serving"))


@cache
def _named() -> tuple[str, ...]:
    return tuple(make_account(home, account_id) for home, account_id in _NAMED)


# The name that bootstrap gives it.
SERVING = "vertex-vllm-serving"


def working_project(project: str) -> str:
    """A classic project in which the accounts that tests name are editors, too: jobs, containers and schedules run."""
    classic_project(project)
    grant(project, "roles/editor", *_named(), make_account(project, SERVING))
    lend_accounts(project)
    return project
