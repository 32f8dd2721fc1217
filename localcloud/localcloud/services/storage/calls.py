"""A JSON API call and its answer as values, for single requests and for parts of a batch."""

import json
from dataclasses import dataclass
from typing import Any

from localcloud.core.rest_request import RestRequest
from localcloud.services.storage.preconditions import Preconditions, in_query
from localcloud.services.storage.storage_errors import invalid


@dataclass(frozen=True)
class Call(RestRequest):
    """A call of the JSON API. `names` is empty until its operation is known."""

    def resource(self) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object. Raises StorageError (400)."""
        if not self.body.strip():
            return {}
        try:
            resource = json.loads(self.body)
        except ValueError:
            raise invalid("Parse Error: the request body is not JSON.") from None
        if not isinstance(resource, dict):
            raise invalid("Parse Error: the request body is not a JSON object.")
        return resource

    def preconditions(self, prefix: str = "if") -> Preconditions:
        return in_query(self.query, self.headers, prefix)

    def number(self, parameter: str, default: int | None = None) -> int | None:
        """A whole number in the query; `default` if it is absent or empty. Raises StorageError (400)."""
        text = self.query.get(parameter)
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise invalid(f"Invalid value for {parameter}: {text!r} is not a whole number.") from None

    def page_size(self, default: int = 1000) -> int:
        """`maxResults`, at most 1,000, as in the API. Raises StorageError (400) if it is below 1."""
        size = self.number("maxResults", default)
        if size is None or size < 1:
            raise invalid("Invalid value for maxResults: it must be at least 1.")
        return min(size, default)

    def flag(self, parameter: str) -> bool:
        return self.query.get(parameter, "").lower() in ("true", "1")


@dataclass(frozen=True)
class Reply:
    """The answer to a call. `resource` None: an empty body."""

    resource: dict[str, Any] | None
    status: int = 200
