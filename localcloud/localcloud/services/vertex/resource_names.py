"""Resource names of Vertex AI: parsed strictly, and shown with the project's number, as by the service."""

import re
from dataclasses import dataclass

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.services.vertex.machines import load_machines
from localcloud.services.vertex.validation import Violations

_LOCATION = r"projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)"
_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_ENDPOINT_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class Location:
    project_number: str
    region: str

    def __str__(self) -> str:
        return f"projects/{self.project_number}/locations/{self.region}"


@dataclass(frozen=True)
class EndpointName:
    location: Location
    endpoint_id: str

    def __str__(self) -> str:
        return f"{self.location}/endpoints/{self.endpoint_id}"


@dataclass(frozen=True)
class ModelName:
    location: Location
    model_id: str
    version: str = ""
    """A version id, a version alias, "-" (the model itself, in updates), or "" (the default version)."""

    def __str__(self) -> str:
        """The model's name without its version."""
        return f"{self.location}/models/{self.model_id}"

    def with_version(self, version_id: str) -> str:
        return f"{self}@{version_id}"


def read_location(parent: str, cloud: Cloud) -> Location:
    """The location `parent`. Raises ApiError INVALID_ARGUMENT for a malformed name or an unknown region."""
    return _location(_match(parent, _LOCATION, "parent", "projects/{project}/locations/{location}"), cloud)


def read_endpoint(name: str, cloud: Cloud) -> EndpointName:
    """The endpoint `name`. Raises ApiError INVALID_ARGUMENT for a malformed name or an unknown region."""
    form = "projects/{project}/locations/{location}/endpoints/{endpoint}"
    match = _match(name, rf"{_LOCATION}/endpoints/(?P<endpoint>[^/]+)", "Endpoint name", form)
    return EndpointName(_location(match, cloud), match["endpoint"])


def read_model(name: str, cloud: Cloud) -> ModelName:
    """The model `name`. Raises ApiError INVALID_ARGUMENT for a malformed name or an unknown region."""
    form = "projects/{project}/locations/{location}/models/{model}[@{version}]"
    pattern = rf"{_LOCATION}/models/(?P<model>[^/@]+)(@(?P<version>[^/@]+))?"
    match = _match(name, pattern, "Model name", form)
    return ModelName(_location(match, cloud), match["model"], match["version"] or "")


def check_model_id(model_id: str) -> None:
    """`UploadModelRequest.model_id`: up to 63 of [a-z0-9_-], the first neither digit nor hyphen. Raises ApiError."""
    if _MODEL_ID.fullmatch(model_id) is None:
        raise ApiError(
            "INVALID_ARGUMENT",
            f'Invalid model_id "{model_id}": up to 63 of [a-z0-9_-], the first neither a number nor a hyphen.',
        )


def check_endpoint_id(endpoint_id: str) -> None:
    """`CreateEndpointRequest.endpoint_id`: a letter first, or up to 9 digits, the first not 0. Raises ApiError."""
    if _ENDPOINT_ID.fullmatch(endpoint_id) is None:
        raise ApiError(
            "INVALID_ARGUMENT",
            f'Invalid endpoint_id "{endpoint_id}": either a letter and then up to 62 characters of [a-z0-9-], the last '
            "a letter or number; or up to 9 digits without a leading zero.",
        )


def check_numbered(name: str, kind: str) -> None:
    """Raises ApiError INVALID_ARGUMENT for a name whose id is not a number, because the service's ids are numbers."""
    if re.fullmatch(rf"{_LOCATION}/[a-zA-Z]+/[1-9]\d*", name) is None:
        violations = Violations()
        violations.add("name", f"Invalid {kind} resource name.")
        violations.raise_any()


def _match(name: str, pattern: str, what: str, form: str) -> re.Match[str]:
    match = re.fullmatch(pattern, name)
    if match is None:
        raise ApiError("INVALID_ARGUMENT", f'Invalid {what} "{name}". Its form is {form}.')
    return match


def _location(match: re.Match[str], cloud: Cloud) -> Location:
    load_machines().check_region(match["region"])
    return Location(str(cloud.project_number(match["project"])), match["region"])
