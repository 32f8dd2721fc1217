"""The project and region of a container's log, in a file beside it, because the log is kept after its endpoint."""

import json
from pathlib import Path

from localcloud.services.vertex.resource_names import EndpointName


def place_file(log: Path) -> Path:
    return log.with_suffix(".json")


def note_place(log: Path, endpoint: EndpointName) -> None:
    """Writes the project's number and the region of the endpoint beside the log."""
    place = {"project": endpoint.location.project_number, "location": endpoint.location.region}
    place_file(log).write_text(json.dumps(place))
