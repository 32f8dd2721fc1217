"""Logs of an endpoint's containers, read from Cloud Logging: by endpoint, deployed model and time, bounded."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.shared_clients import google_client
from vertex_vllm.vertex_ai.resource_names import ResourceName

_RESOURCE = "aiplatform.googleapis.com/Endpoint"
_PAGE = 1000
MOST_ENTRIES = 20_000
"""Only the newest lines are kept: the cause of a failed start is at its end. At 1,000 lines a page, 20 calls."""
_CALL_SECONDS = 60.0


@dataclass(frozen=True)
class ContainerLog:
    """The lines of one replica, the oldest first, each with its entry's time in front."""

    replica: str
    lines: tuple[str, ...]


def read_container_logs(
    endpoint: str, since: datetime, deployed_model_id: str = "", until: datetime | None = None
) -> tuple[ContainerLog, ...]:
    """The log of each replica of `endpoint`, a resource name, in that time; empty if there is none.

    The newest `MOST_ENTRIES` entries are read. Raises ServiceError, of which the account that lacks
    logging.logEntries.list is one cause.
    """
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
    from google.cloud.logging_v2.types import ListLogEntriesRequest

    name = ResourceName.parse(endpoint, "endpoints")
    request = ListLogEntriesRequest(
        resource_names=[f"projects/{name.project}"],
        filter=log_filter(name.id, name.region, since, deployed_model_id, until),
        order_by="timestamp desc",
        page_size=_PAGE,
    )
    with google_errors("Cloud Logging", endpoint):
        found = google_client(LoggingServiceV2Client).list_log_entries(request, timeout=_CALL_SECONDS)
        entries = [entry for _, entry in zip(range(MOST_ENTRIES), found, strict=False)]
    return by_replica(reversed(entries))


def log_filter(endpoint_id: str, region: str, since: datetime, deployed_model_id: str, until: datetime | None) -> str:
    """The filter in Cloud Logging's query language."""
    terms = [
        f'resource.type="{_RESOURCE}"',
        f'resource.labels.endpoint_id="{endpoint_id}"',
        f'resource.labels.location="{region}"',
        f'timestamp>="{since.isoformat()}"',
    ]
    if until:
        terms.append(f'timestamp<="{until.isoformat()}"')
    if deployed_model_id:
        terms.append(f'labels.deployed_model_id="{deployed_model_id}"')
    return " AND ".join(terms)


def by_replica(entries: Iterable[Any]) -> tuple[ContainerLog, ...]:
    """Entries in their order, one log for each replica."""
    lines: dict[str, list[str]] = {}
    for entry in entries:
        replica = entry.labels.get("replica_id", "") or entry.labels.get("deployed_model_id", "")
        moment = f"{entry.timestamp:%Y-%m-%dT%H:%M:%S.%fZ}" if entry.timestamp else ""
        said = re.sub(r"[\r\n]+", f"\n{moment} ", _text(entry).rstrip("\r\n"))
        lines.setdefault(replica, []).extend(f"{moment} {said}".split("\n"))
    return tuple(ContainerLog(replica, tuple(said)) for replica, said in lines.items())


def _text(entry: Any) -> str:
    """Containers write text, or JSON, whose message is then a field."""
    if entry.text_payload:
        return str(entry.text_payload)
    payload = dict(entry.json_payload or {})
    return str(payload.get("message", "") or payload.get("textPayload", ""))
