"""Service accounts that Google creates: Compute Engine's default account, and service agents.

None exists in a new project. Compute Engine's account is created with its API; a service agent on request
(`generateServiceIdentity`) or when its service first needs it. The agent of a service that the local cloud does not
have is created with its API, because the service's first use cannot be seen here.
"""

import base64
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from google.cloud.service_usage_v1.types import Service, State
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import StringValue

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.permissions.decisions import AGENT_ROLES, SERVICE_AGENTS
from localcloud.core.signed_tokens import SERVICE_ACCOUNTS
from localcloud.core.store import Kind

_OWNED = re.compile(r"[^@]+@(?P<project>[^.]+)\.iam\.gserviceaccount\.com")
COMPUTE_API = "compute.googleapis.com"
ENABLED_SERVICES = Kind("enabled service", Service.pb())

_AGENTS = Path(__file__).with_name("service_agents.yaml")


def account_name(cloud: Cloud, email: str) -> str:
    """The resource name of a service account by its email, whether or not it exists."""
    found = cloud.store.get(SERVICE_ACCOUNTS, email)
    if found is not None:
        return str(found["name"])
    owned = _OWNED.fullmatch(email)
    return f"projects/{owned['project'] if owned else '-'}/serviceAccounts/{email}"


def exists(cloud: Cloud, email: str) -> bool:
    """Whether a service account or a service agent has that email."""
    made = any(cloud.store.get(kind, email) is not None for kind in (SERVICE_ACCOUNTS, SERVICE_AGENTS))
    return made or _came_with_its_api(cloud, email)


def _came_with_its_api(cloud: Cloud, email: str) -> bool:
    number = re.search(r"\d{6,}", email.partition("@")[0])
    row = _rows_by_email().get(email.replace(number[0], "{number}", 1)) if number else None
    if number is None or row is None or row["made"] != "enabled":
        return False
    service = cloud.store.get(ENABLED_SERVICES, cloud.canonical(f"projects/{number[0]}/services/{row['api']}"))
    return service is not None and service.state == State.ENABLED


def compute_account(cloud: Cloud, project: str) -> str:
    """The email of Compute Engine's default account, whether or not it exists yet."""
    return f"{cloud.project_number(project)}-compute@developer.gserviceaccount.com"


def new_account(cloud: Cloud, project_id: str, email: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """A service account's resource with the ids that IAM gives it. `told`: its description and display name, as the
    caller gave them."""
    unique_id = cloud.ids.numeric(19) + cloud.ids.numeric(2)
    return {
        "name": f"projects/{project_id}/serviceAccounts/{email}",
        "projectId": project_id,
        "uniqueId": unique_id,
        "email": email,
        **told,
        "etag": account_etag(cloud),
        "oauth2ClientId": unique_id,
    }


def account_etag(cloud: Cloud) -> str:
    """An etag in the form of the real ones: eight digits in base64."""
    return base64.b64encode(cloud.ids.numeric(8).encode()).decode()


def make_compute_account(cloud: Cloud, project: str) -> None:
    """Creates the account, as enabling the Compute API does; without a role, as in new organisations (policy
    `iam.automaticIamGrantsForDefaultServiceAccounts`, enforced since 2024-05-03)."""
    email, project_id = compute_account(cloud, project), cloud.project_id(project)
    if cloud.store.get(SERVICE_ACCOUNTS, email) is None:
        account = Struct()
        told = {"displayName": "Compute Engine default service account"}
        account.update(new_account(cloud, project_id, email, told))
        cloud.store.put(SERVICE_ACCOUNTS, email, account)


def service_agent(cloud: Cloud, project: str, api: str) -> str:
    """The email of an API's service agent, "" where this API has none, whether or not the agent exists yet.

    Raises ApiError UNIMPLEMENTED for an API that service_agents.yaml does not have.
    """
    if not any(row["api"] == api for row in _rows_by_email().values()):
        raise ApiError("UNIMPLEMENTED", f"The local cloud does not know the service agents of {api}.")
    email = str(_asked().get(api, {}).get("email", ""))
    return email.format(number=cloud.project_number(project))


def make_service_agent(cloud: Cloud, project: str, api: str, *, granted: bool) -> Any:
    """The agent of an API, created if it does not exist; None where the API has none. Raises ApiError UNIMPLEMENTED.

    `granted`: whether a new agent gets its role on the project. It does at its service's first use; an agent created
    on request gets none (IAM, "Create and grant roles to service agents", 2026-11-30).
    """
    email = service_agent(cloud, project, api)
    if not email:
        return None
    agent = cloud.store.get(SERVICE_AGENTS, email)
    if agent is None:
        agent = Struct()
        agent.update(
            {
                "name": f"projects/{cloud.project_number(project)}",
                "role": _asked()[api].get("role", "") if granted else "",
                "email": email,
                "uniqueId": cloud.ids.numeric(21),
            }
        )
        cloud.store.put(SERVICE_AGENTS, email, agent)
    role_name = f"{agent['name']}/{email}"
    # An earlier version has made agents without this row.
    if agent["role"] and cloud.store.get(AGENT_ROLES, role_name) is None:
        cloud.store.put(AGENT_ROLES, role_name, StringValue(value=agent["role"]))
    return agent


@cache
def _asked() -> dict[str, dict[str, Any]]:
    """The agents that generateServiceIdentity answers with, by API."""
    return {row["api"]: row for row in _rows_by_email().values() if row.get("asked")}


@cache
def _rows_by_email() -> dict[str, dict[str, Any]]:
    """By address, with {number} for the project's number."""
    return {row["email"]: row for row in yaml.safe_load(_AGENTS.read_text())["agents"]}
