"""Requests to Google's APIs as values, one function per kind of resource."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vertex_vllm.bootstrap.setup_steps import (
    LABEL,
    MARK,
    Grant,
    PolicyPlace,
    Request,
    Resource,
    SecretValue,
    ServiceAgent,
)
from vertex_vllm.google.bucket_settings import UNFINISHED_UPLOAD_DAYS
from vertex_vllm.project_names import account_email

_STORAGE = "https://storage.googleapis.com/storage/v1/b"
_IAM = "https://iam.googleapis.com/v1"
_SECRETS = "https://secretmanager.googleapis.com/v1"
_ARTIFACTS = "https://artifactregistry.googleapis.com/v1"
_SERVICES = "https://serviceusage.googleapis.com/v1"
_PROJECTS = "https://cloudresourcemanager.googleapis.com/v3"
_GITHUB = "https://token.actions.githubusercontent.com"
# A request for an older version returns bindings without their conditions, which writing the policy back would delete
# ("Policy versions").
_POLICY_VERSION = 3


def api(project: str, name: str) -> Resource:
    """An API stays enabled on removal, because other users of the project may need it by then."""
    url = f"{_SERVICES}/projects/{project}/services/{name}"
    return Resource(
        "API", name, look=Request("GET", url), create=Request("POST", f"{url}:enable", {}), active={"state": "ENABLED"}
    )


def bucket(project: str, number: str, region: str, name: str, *, recoverable: bool = True) -> Resource:
    """`recoverable`: deleted objects are kept, and billed, for seven days, which is the service's default."""
    access = {
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        }
    }
    body: Mapping[str, Any] = {
        "name": name,
        "location": region.upper(),
        **access,
        **({} if recoverable else {"softDeletePolicy": {"retentionDurationSeconds": "0"}}),
        "labels": LABEL,
        "lifecycle": {
            "rule": [
                {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": UNFINISHED_UPLOAD_DAYS}}
            ]
        },
    }
    return Resource(
        "bucket",
        f"gs://{name}",
        look=bucket_look(name),
        create=Request("POST", f"{_STORAGE}?project={project}", body),
        remove=Request("DELETE", f"{_STORAGE}/{name}"),
        # Bucket names are global: another project may own this one.
        wanted={"location": region.upper(), "projectNumber": number, **access},
        mark={"labels": LABEL},
        contents=Request("GET", f"{_STORAGE}/{name}/o?versions=true"),
    )


def bucket_look(name: str) -> Request:
    return Request("GET", f"{_STORAGE}/{name}")


def account_look(project: str, email: str) -> Request:
    return Request("GET", f"{_IAM}/projects/{project}/serviceAccounts/{email}")


def account_test(project: str, email: str) -> str:
    """Address that says which of some permissions the caller has on a service account."""
    return f"{_IAM}/projects/{project}/serviceAccounts/{email}:testIamPermissions"


def service_account(project: str, account_id: str, purpose: str) -> Resource:
    email = account_email(account_id, project)
    accounts = f"{_IAM}/projects/{project}/serviceAccounts"
    body = {"accountId": account_id, "serviceAccount": {"displayName": purpose, "description": MARK}}
    return Resource(
        "service account",
        email,
        look=account_look(project, email),
        create=Request("POST", accounts, body),
        remove=Request("DELETE", f"{accounts}/{email}"),
        mark={"description": MARK},
    )


def repository(project: str, region: str, name: str, kind: str) -> Resource:
    """An Artifact Registry repository of format `kind`: DOCKER or KFP."""
    repositories = f"{_ARTIFACTS}/projects/{project}/locations/{region}/repositories"
    return Resource(
        "repository",
        f"{region}/{name}",
        look=Request("GET", f"{repositories}/{name}"),
        create=Request("POST", f"{repositories}?repositoryId={name}", {"format": kind, "labels": LABEL}),
        remove=Request("DELETE", f"{repositories}/{name}"),
        wanted={"format": kind},
        mark={"labels": LABEL},
        contents=Request("GET", f"{repositories}/{name}/packages"),
    )


def secret(project: str, name: str) -> Resource:
    secrets = f"{_SECRETS}/projects/{project}/secrets"
    return Resource(
        "secret",
        name,
        look=Request("GET", f"{secrets}/{name}"),
        create=Request("POST", f"{secrets}?secretId={name}", {"replication": {"automatic": {}}, "labels": LABEL}),
        remove=Request("DELETE", f"{secrets}/{name}"),
        mark={"labels": LABEL},
    )


def secret_value(project: str, name: str) -> SecretValue:
    url = f"{_SECRETS}/projects/{project}/secrets/{name}"
    return SecretValue(
        name,
        look=Request("GET", f"{url}/versions?filter=state%3AENABLED"),
        create=Request("POST", f"{url}:addVersion", {"payload": {"data": "(the value, from standard input)"}}),
    )


def custom_role(project: str, role_id: str, title: str, permissions: Sequence[str]) -> Resource:
    """A role of the project. A deleted role keeps its id for 37 days, and can be restored during the first 7."""
    url = f"{_IAM}/projects/{project}/roles"
    permitted = {"includedPermissions": list(permissions)}
    role = {"title": title, "description": MARK, "stage": "GA", **permitted}
    return Resource(
        "custom role",
        role_id,
        look=Request("GET", f"{url}/{role_id}"),
        create=Request("POST", url, {"roleId": role_id, "role": role}),
        remove=Request("DELETE", f"{url}/{role_id}"),
        active={"deleted": None},
        wanted=permitted,
        mark={"description": MARK},
        revive=Request("POST", f"{url}/{role_id}:undelete", {}),
        update=Request("PATCH", f"{url}/{role_id}?updateMask=includedPermissions", permitted),
    )


def service_agent(project: str, number: str, needed_by: Grant) -> ServiceAgent:
    """Vertex AI's. `v1` has no such method."""
    url = f"{_SERVICES.removesuffix('/v1')}/v1beta1/projects/{project}/services/aiplatform.googleapis.com"
    return ServiceAgent(vertex_agent(number), Request("POST", f"{url}:generateServiceIdentity", {}), needed_by)


def vertex_agent(number: str) -> str:
    """Email of Vertex AI's service agent in the project of that number."""
    return f"service-{number}@gcp-sa-aiplatform.iam.gserviceaccount.com"


def identity_pool(number: str, pool_id: str) -> Resource:
    pools = f"{_IAM}/projects/{number}/locations/global/workloadIdentityPools"
    body = {"displayName": "GitHub", "description": MARK}
    return _federated("identity pool", f"{pools}/{pool_id}", f"{pools}?workloadIdentityPoolId={pool_id}", body, {})


def github_provider(pool: str, provider_id: str, repository_id: str, owner_id: str, branch: str) -> Resource:
    """Accepts only workflows that a push to `branch` of that repository started.

    Repository and owner are named by id, because another owner can register a name again. Branch and event are fixed,
    because anybody who may push to any branch may run a workflow of their own there (google-github-actions/auth,
    "Security Considerations").
    """
    providers = f"{_IAM}/{pool}/providers"
    asked = {
        "repository_id": repository_id,
        "repository_owner_id": owner_id,
        "ref": f"refs/heads/{branch}",
        "event_name": "push",
    }
    wanted = {
        "attributeCondition": " && ".join(f"assertion.{name} == '{value}'" for name, value in asked.items()),
        "attributeMapping": {"google.subject": "assertion.sub", "attribute.repository_id": "assertion.repository_id"},
        "oidc": {"issuerUri": _GITHUB},
    }
    body = {**wanted, "displayName": "GitHub Actions", "description": MARK}
    create = f"{providers}?workloadIdentityPoolProviderId={provider_id}"
    url = f"{providers}/{provider_id}"
    update = Request("PATCH", f"{url}?updateMask=attributeCondition,attributeMapping,oidc", wanted)
    return replace(_federated("identity provider", url, create, body, wanted), update=update)


def _federated(kind: str, url: str, create: str, body: Mapping[str, Any], wanted: Mapping[str, Any]) -> Resource:
    """A pool, or a provider in it; a deleted one keeps its name for 30 days."""
    return Resource(
        kind,
        url.removeprefix(f"{_IAM}/"),
        look=Request("GET", url),
        create=Request("POST", create, body),
        remove=Request("DELETE", url),
        active={"state": "ACTIVE"},
        wanted=wanted,
        mark={"description": MARK},
        revive=Request("POST", f"{url}:undelete", {}),
    )


def project_policy(project: str) -> PolicyPlace:
    url = f"{_PROJECTS}/projects/{project}"
    return _by_post(f"project {project}", url)


def account_policy(project: str, email: str) -> PolicyPlace:
    return _by_post(f"service account {email}", f"{_IAM}/projects/{project}/serviceAccounts/{email}")


def bucket_policy(name: str) -> PolicyPlace:
    url = f"{_STORAGE}/{name}/iam"
    return PolicyPlace(
        f"gs://{name}",
        read=Request("GET", f"{url}?optionsRequestedPolicyVersion={_POLICY_VERSION}"),
        write=Request("PUT", url),
        bare=True,
    )


def repository_policy(project: str, region: str, name: str) -> PolicyPlace:
    url = f"{_ARTIFACTS}/projects/{project}/locations/{region}/repositories/{name}"
    return _by_get(f"repository {region}/{name}", url)


def secret_policy(project: str, name: str) -> PolicyPlace:
    return _by_get(f"secret {name}", f"{_SECRETS}/projects/{project}/secrets/{name}")


def key_policy(name: str) -> PolicyPlace:
    """Of a key of Cloud KMS, `projects/P/locations/L/keyRings/R/cryptoKeys/K`."""
    return _by_get(f"key {name}", f"https://cloudkms.googleapis.com/v1/{name}")


def _by_get(resource: str, url: str) -> PolicyPlace:
    read = Request("GET", f"{url}:getIamPolicy?options.requestedPolicyVersion={_POLICY_VERSION}")
    return PolicyPlace(resource, read=read, write=Request("POST", f"{url}:setIamPolicy"))


def _by_post(resource: str, url: str) -> PolicyPlace:
    options = {"options": {"requestedPolicyVersion": _POLICY_VERSION}}
    return PolicyPlace(
        resource,
        read=Request("POST", f"{url}:getIamPolicy", options),
        write=Request("POST", f"{url}:setIamPolicy"),
    )
