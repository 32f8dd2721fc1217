"""What a project may hold, as values: the requests that look at a thing, make it and remove it, and how it must be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vertex_vllm.lifecycle.ownership import MANAGED_BY

Fields = Mapping[str, Any]

MARK = f"Made by {MANAGED_BY} bootstrap"
LABEL = {"managed-by": MANAGED_BY}


@dataclass(frozen=True)
class Request:
    """One request of a Google API."""

    method: str
    url: str
    body: Fields | None = None


@dataclass(frozen=True)
class Resource:
    """A thing that is there or not. What exists is never changed: where it is otherwise, that is an error."""

    kind: str
    name: str
    look: Request
    create: Request
    remove: Request | None = None
    """None: it stays when everything else is removed."""
    active: Fields = field(default_factory=dict)
    """What `look` answers when it is there *and* in use: an API that is not disabled, a pool that is not deleted."""
    wanted: Fields = field(default_factory=dict)
    """What `look` answers when it is what the pipelines need."""
    mark: Fields = field(default_factory=dict)
    """What `look` answers when `create` made it; anything else is not removed."""
    revive: Request | None = None
    """Brings it back where it was deleted softly, which keeps its name."""
    contents: Request | None = None
    """Lists what lies in it; with anything there it is removed only when that may be lost."""


@dataclass(frozen=True)
class SecretValue:
    """A version of a secret. The value comes from whoever runs this, and stands in no request that is printed."""

    secret: str
    look: Request
    """Lists the versions that are enabled."""
    create: Request

    kind = "secret value"

    @property
    def name(self) -> str:
        return self.secret


@dataclass(frozen=True)
class PolicyPlace:
    """The IAM policy of one resource."""

    resource: str
    read: Request
    write: Request
    """Its body is the policy, under the name `policy` unless `bare`."""
    bare: bool = False


@dataclass(frozen=True)
class Grant:
    """One member's one role on one resource."""

    member: str
    role: str
    on: PolicyPlace

    kind = "grant"

    @property
    def name(self) -> str:
        return f"{self.role} on {self.on.resource} to {self.member}"


Step = Resource | SecretValue | Grant


def holds(answer: Fields, wanted: Fields) -> bool:
    """Whether `answer` has every field of `wanted`, at any depth; what it has besides does not matter."""
    return all(
        holds(answer.get(name) or {}, value) if isinstance(value, Mapping) else answer.get(name) == value
        for name, value in wanted.items()
    )
