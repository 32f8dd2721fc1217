"""`vertex-vllm local status`: a local cloud at a glance."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vertex_vllm.cli.table import age
from vertex_vllm.cli.terminal import fact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.daemon import Connection


def status_text(cloud: "Connection") -> str:
    """A line for each fact; ends with a newline."""
    held = cloud.admin("GET", "/_local/status")
    time = datetime.fromisoformat(held["time"])
    ahead = (time - datetime.now(UTC)).total_seconds()
    moved = f", {age(datetime.now(UTC), time)} ahead of this machine" if ahead > 1 else ""
    rows = [
        ("State", f"up, pid {cloud.pid}"),
        ("Folder", str(cloud.state_dir)),
        ("Project", f"{cloud.project} in {cloud.region}; every other project id exists, too"),
        ("Clock", f"{time:%Y-%m-%d %H:%M:%S} UTC{moved}"),
        ("Hub", cloud.environment["HF_ENDPOINT"]),
        *_many("Models", hub_models(cloud, held)),
        *_many("Endpoints", [_endpoint(each) for each in held["endpoints"]]),
        *_many("Runs", held["runs_under_way"], "none under way"),
        ("Logs", f"{cloud.state_dir}/logs"),
    ]
    return "".join(f"{fact(label, value, 11)}\n" for label, value in rows)


def hub_models(cloud: "Connection", held: dict[str, Any] | None = None) -> list[str]:
    """Ids of the models on the local Hub, in order; gated ones say so."""
    found = (held or cloud.admin("GET", "/_local/status"))["hub_models"]
    return [f"{model['id']}{' (gated)' if model['gated'] else ''}" for model in found]


def _endpoint(endpoint: dict[str, Any]) -> str:
    """The deployed models first: a resource name takes a line by itself."""
    return f"{', '.join(endpoint['models']) or 'nothing deployed'}: {endpoint['name']}"


def _many(label: str, values: "Iterable[str]", nothing: str = "none") -> list[tuple[str, str]]:
    lines = list(values) or [nothing]
    return [(label if not number else "", line) for number, line in enumerate(lines)]
