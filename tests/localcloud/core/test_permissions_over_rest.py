"""Methods that the local cloud serves over REST alone, or that few clients call, ask for their permissions as well."""

from typing import Any

import pytest
import requests

from localcloud.daemon import Connection
from tests.accounts import make_account

_IAM = "https://iam.googleapis.com/v1/projects/{project}"
_ACCOUNT = f"{_IAM}/serviceAccounts/{{robot}}"
_POOLS = f"{_IAM}/locations/global/workloadIdentityPools"
_OLD_PROJECTS = "https://cloudresourcemanager.googleapis.com/v1/projects"
_PROJECTS = "https://cloudresourcemanager.googleapis.com/v3/projects"
_QUOTAS = "https://cloudquotas.googleapis.com/v1/projects/{project}/locations/global/quotaPreferences"
_USAGE = "https://serviceusage.googleapis.com/v1beta1/projects/{project}/services"


@pytest.mark.parametrize(
    ("verb", "url", "body", "permission"),
    [
        ("PATCH", _ACCOUNT, {"serviceAccount": {}, "updateMask": "description"}, "iam.serviceAccounts.update"),
        ("POST", f"{_ACCOUNT}:disable", {}, "iam.serviceAccounts.disable"),
        ("POST", f"{_ACCOUNT}:undelete", {}, "iam.serviceAccounts.undelete"),
        ("POST", f"{_ACCOUNT}/keys", {}, "iam.serviceAccountKeys.create"),
        ("POST", f"{_ACCOUNT}/keys:upload", {}, "iam.serviceAccountKeys.create"),
        ("GET", f"{_ACCOUNT}/keys", None, "iam.serviceAccountKeys.list"),
        ("GET", f"{_IAM}/roles", None, "iam.roles.list"),
        ("POST", f"{_IAM}/roles/some:undelete", {}, "iam.roles.undelete"),
        ("GET", _POOLS, None, "iam.googleapis.com/workloadIdentityPools.list"),
        ("PATCH", f"{_POOLS}/github", {}, "iam.googleapis.com/workloadIdentityPools.update"),
        ("GET", f"{_POOLS}/github/operations/1", None, "iam.googleapis.com/workloadIdentityPools.get"),
        ("GET", f"{_POOLS}/github/providers", None, "iam.googleapis.com/workloadIdentityPoolProviders.list"),
        ("GET", f"{_OLD_PROJECTS}/{{project}}", None, "resourcemanager.projects.get"),
        ("POST", f"{_OLD_PROJECTS}/{{project}}:getIamPolicy", {}, "resourcemanager.projects.getIamPolicy"),
        ("DELETE", f"{_OLD_PROJECTS}/{{project}}", None, "resourcemanager.projects.delete"),
        ("POST", _PROJECTS, {"projectId": "made-by-a-robot"}, "resourcemanager.projects.create"),
        ("GET", _QUOTAS, None, "cloudquotas.quotas.get"),
        ("POST", f"{_USAGE}/aiplatform.googleapis.com:generateServiceIdentity", {}, "serviceusage.services.enable"),
    ],
)
def test_an_account_without_roles_is_refused(
    cloud: Connection, project: str, verb: str, url: str, body: dict[str, Any] | None, permission: str
) -> None:
    robot = make_account(project, "some-robot")
    headers = {"Authorization": f"Bearer {cloud.access_token(robot)}"}
    answer = requests.request(verb, url.format(project=project, robot=robot), json=body, headers=headers, timeout=20)
    assert answer.status_code == 403, answer.text
    assert f"'{permission}'" in answer.json()["error"]["message"]
