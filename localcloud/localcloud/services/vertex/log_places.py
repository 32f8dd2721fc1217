"""The project, region and clock of a container's log, in a file beside it: the log is kept after its endpoint."""

import json
from datetime import timedelta
from pathlib import Path

from localcloud.services.vertex.resource_names import EndpointName


def place_file(log: Path) -> Path:
    return log.with_suffix(".json")


def note_place(log: Path, endpoint: EndpointName, ahead: timedelta) -> None:
    """Writes the endpoint's project and region, and by how much the local cloud's clock is `ahead` of the machine's."""
    place = {
        "project": endpoint.location.project_number,
        "location": endpoint.location.region,
        "clock_ahead_seconds": int(ahead.total_seconds()),
    }
    place_file(log).write_text(json.dumps(place))
