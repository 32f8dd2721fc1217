"""The role of Vertex AI's agent on its own project."""

from pathlib import Path

from google.protobuf.wrappers_pb2 import StringValue

from localcloud.core.cloud import Cloud
from localcloud.core.environment import Ports
from localcloud.core.permissions.accounts import make_service_agent
from localcloud.core.permissions.decisions import AGENT_ROLES, has

API = "aiplatform.googleapis.com"
PERMISSION = "aiplatform.endpoints.get"


def test_it_has_its_role_on_its_own_project_alone_also_where_an_earlier_version_made_it(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, project="home", region="us-central1", ports=Ports(1, 2, 3, 4, 5, 6, 7))
    agent = make_service_agent(cloud, "home", API, granted=True)
    member = f"serviceAccount:{agent['email']}"
    other = make_service_agent(cloud, "other", API, granted=False)
    assert has(cloud, member, PERMISSION, "projects/home")
    assert not has(cloud, member, PERMISSION, "projects/other")
    assert not has(cloud, f"serviceAccount:{other['email']}", PERMISSION, "projects/other")

    (name, role), *rest = cloud.store.items(AGENT_ROLES)
    assert (name, role, rest) == (f"{agent['name']}/{agent['email']}", StringValue(value=agent["role"]), [])
    cloud.store.delete(AGENT_ROLES, name)  # as an earlier version left it
    assert not has(cloud, member, PERMISSION, "projects/home")
    make_service_agent(cloud, "home", API, granted=True)
    assert has(cloud, member, PERMISSION, "projects/home")
