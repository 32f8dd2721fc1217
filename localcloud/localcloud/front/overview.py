"""An overview of a local cloud: its time, the models on its Hub, its endpoints and its runs."""

from typing import Any

from localcloud.core.cloud import Cloud
from localcloud.services.hub.registry import every_repo
from localcloud.services.pipelines.runs import PIPELINE_JOBS
from localcloud.services.vertex.records import ENDPOINTS

_LAST_STATES = frozenset({"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"})


def overview(cloud: Cloud) -> dict[str, Any]:
    """Plain values, of all projects. Names carry the project's id."""
    return {
        "time": cloud.clock().isoformat(),
        "hub_models": [{"id": repo.id, "gated": repo.gated} for repo in every_repo(cloud.state.hub)],
        "endpoints": [
            {"name": _with_id(endpoint.name, cloud), "models": [each.display_name for each in endpoint.deployed_models]}
            for endpoint in cloud.store.list(ENDPOINTS)
        ],
        "runs_under_way": [
            _with_id(job.name, cloud) for job in cloud.store.list(PIPELINE_JOBS) if _state(job) not in _LAST_STATES
        ],
    }


def _state(job: Any) -> str:
    return str(type(job).DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[job.state].name)


def _with_id(name: str, cloud: Cloud) -> str:
    _, number, rest = name.split("/", 2)
    return f"projects/{cloud.project_id(number)}/{rest}"
