"""Accounts and grants that tests need, created by the owner of all projects through the same APIs as a person's."""

from typing import Any

import google.auth
from google.auth.transport.requests import AuthorizedSession
from google.cloud import resourcemanager_v3, service_usage_v1
from google.cloud.storage import Client

_IAM = "https://iam.googleapis.com/v1"


def owner_session() -> Any:
    """Requests with the default credential."""
    credentials, _ = google.auth.default()
    return AuthorizedSession(credentials)


def make_account(project: str, account_id: str) -> str:
    """A service account without any role, or the one that has this id; returns its email."""
    email = f"{account_id}@{project}.iam.gserviceaccount.com"
    made = owner_session().post(f"{_IAM}/projects/{project}/serviceAccounts", json={"accountId": account_id})
    assert made.ok or made.status_code == 409, made.text
    return email


def grant(project: str, role: str, email: str) -> None:
    """The role on the whole project."""
    client = resourcemanager_v3.ProjectsClient()
    policy = client.get_iam_policy(resource=f"projects/{project}")
    policy.bindings.add(role=role, members=[f"serviceAccount:{email}"])
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
    client = service_usage_v1.ServiceUsageClient()
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
    for role in ("roles/aiplatform.serviceAgent", "roles/iam.serviceAccountAdmin"):
        grant(project, role, agent)


# Accounts that tests name without creating them: the one that runs jobs, and the one that serves.
_NAMED = (("some-project", "runner"), ("some-project", "serving"))
# The name that bootstrap gives it.
SERVING = "vertex-vllm-serving"


def working_project(project: str) -> str:
    """A classic project in which the accounts that tests name are editors, too: jobs, containers and schedules run."""
    classic_project(project)
    for home, account_id in (*_NAMED, (project, SERVING)):
        grant(project, "roles/editor", make_account(home, account_id))
    lend_accounts(project)
    return project
