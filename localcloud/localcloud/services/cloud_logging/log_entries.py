"""Cloud Logging for readers: `entries.list` over the logs of the containers of deployed models.

Times of lines are not recorded: the last line has the time at which the file was last written, and each line above it
a microsecond less. The local cloud's clock, as it was when the container started, counts.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.cloud.logging_v2.types import ListLogEntriesResponse, LogEntry
from google.protobuf.message import Message

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.paging import page
from localcloud.core.permissions import decisions
from localcloud.core.registration import Service
from localcloud.services.vertex.log_places import place_file

service = Service("google.logging.v2.LoggingServiceV2")

# The reference of `entries.list`: "If the value is negative or exceeds 1000, the request is rejected".
_LARGEST_PAGE = 1000
# Cloud Logging, "Quotas and limits": 256 KB an entry.
_LONGEST_TEXT = 256 * 1024
_MICROSECOND, _SECOND = 1000, 1_000_000_000
_PROJECT = re.compile(r"projects/[^/]+")
_SEVERITY = re.compile(r"\bseverity\s*(?:>|<)")


@service.method("ListLogEntries")
def list_log_entries(request: Any, cloud: Cloud) -> Message:
    """The oldest first, as Cloud Logging answers. Raises ApiError for invalid and for unsupported requests."""
    if not request.resource_names:
        raise ApiError("INVALID_ARGUMENT", "At least one resource name is required.")
    for name in request.resource_names:
        if not _PROJECT.fullmatch(name):
            raise ApiError("UNIMPLEMENTED", f"The local cloud reads logs of projects only, not of {name}.")
        decisions.check(cloud, "logging.logEntries.list", name)
    if not 0 <= request.page_size <= _LARGEST_PAGE:
        raise ApiError("INVALID_ARGUMENT", f"page_size must be between 0 and {_LARGEST_PAGE}.")
    if _SEVERITY.search(request.filter):
        raise ApiError("UNIMPLEMENTED", "The local cloud does not compare severities.")
    projects = {str(cloud.project_number(name.split("/")[1])) for name in request.resource_names}
    entries = [entry for project in sorted(projects) for entry in _entries(cloud, project, request.filter)]
    if not request.order_by:
        request.order_by = "timestamp"
    chosen, token = page(entries, request, largest=request.page_size or 50)
    return ListLogEntriesResponse.pb()(entries=chosen, next_page_token=token)


def _entries(cloud: Cloud, project_number: str, asked: str) -> Iterator[Any]:
    """Lines of the containers of those endpoints of the project that the filter may select."""
    for log in sorted(cloud.state.container_logs.glob("*-*.log")):
        endpoint_id, _, deployed_model_id = log.stem.rpartition("-")
        if "endpoint_id" in asked and endpoint_id not in asked:
            continue
        place = json.loads(place_file(log).read_text()) if place_file(log).exists() else {}
        if place.get("project") == project_number:
            yield from _of_container(cloud, log, place, endpoint_id, deployed_model_id)


def _of_container(
    cloud: Cloud, log: Path, place: dict[str, Any], endpoint_id: str, deployed_model_id: str
) -> Iterator[Any]:
    project_number, location = place["project"], place["location"]
    lines = log.read_bytes().split(b"\n")[:-1]
    written = log.stat().st_mtime_ns + place.get("clock_ahead_seconds", 0) * _SECOND  # 0: of an earlier version
    for number, line in enumerate(lines, 1):
        entry = LogEntry.pb()(
            log_name=f"projects/{cloud.project_id(project_number)}/logs/aiplatform.googleapis.com%2Fprediction_container",
            text_payload=line[:_LONGEST_TEXT].decode("utf-8", "replace"),
            insert_id=f"{log.stem}-{number}",
            labels={"deployed_model_id": deployed_model_id, "replica_id": log.stem},
        )
        entry.resource.type = "aiplatform.googleapis.com/Endpoint"
        labels = {"endpoint_id": endpoint_id, "location": location, "resource_container": f"projects/{project_number}"}
        entry.resource.labels.update(labels)
        entry.timestamp.FromNanoseconds(written - (len(lines) - number) * _MICROSECOND)
        yield entry
