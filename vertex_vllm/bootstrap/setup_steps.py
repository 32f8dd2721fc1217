"""Resources of a project as values: the requests that look at one, create and remove it, and its wanted fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vertex_vllm.labels import MANAGED_BY, MANAGED_BY_LABEL

Fields = Mapping[str, Any]

MARK = f"Made by {MANAGED_BY} bootstrap"
LABEL = {MANAGED_BY_LABEL: MANAGED_BY}


@dataclass(frozen=True)
class Request:
    """One request of a Google API."""

    method: str
    """Of HTTP."""
    url: str
    body: Fields | None = None
    """JSON; None: no body."""


@dataclass(frozen=True)
class Resource:
    """A resource that exists or not. One that exists and differs is an error, unless it has an `update`."""

    kind: str
    """In words, for a person: `bucket`, `service account`."""
    name: str
    look: Request
    """Reads it; status 404 means that it does not exist."""
    create: Request
    remove: Request | None = None
    """None: it stays when everything else is removed."""
    active: Fields = field(default_factory=dict)
    """Fields of `look`'s answer for a resource that exists *and* is in use: an API not disabled, a pool not deleted."""
    wanted: Fields = field(default_factory=dict)
    """Fields of `look`'s answer that the pipelines need."""
    mark: Fields = field(default_factory=dict)
    """Fields of `look`'s answer for a resource that `create` made; any other is not removed."""
    revive: Request | None = None
    """Restores it after a soft deletion, which keeps its name; None: a deletion is final."""
    update: Request | None = None
    """Changes a resource that `create` made and that differs; None: what exists is never changed."""
    contents: Request | None = None
    """Lists the contents. A resource with contents is removed only when they may be lost."""


@dataclass(frozen=True)
class SecretValue:
    """A version of a secret. The caller supplies the value, which no printed request contains."""

    secret: str
    look: Request
    """Lists the versions that are enabled."""
    create: Request
    """Adds a version, without its value."""

    kind = "secret value"

    @property
    def name(self) -> str:
        return self.secret


@dataclass(frozen=True)
class PolicyPlace:
    """The IAM policy of one resource."""

    resource: str
    """Resource name, for a person."""
    read: Request
    write: Request
    """Its body is the policy, under the name `policy` unless `bare`."""
    bare: bool = False


@dataclass(frozen=True)
class Grant:
    """One member's one role on one resource."""

    member: str
    """As IAM writes it: `serviceAccount:…`, `principalSet://…`."""
    role: str
    on: PolicyPlace
    condition: Fields | None = None
    """An IAM condition, as a policy's binding has it."""

    kind = "grant"

    @property
    def name(self) -> str:
        return f"{self.role} on {self.on.resource} to {self.member}"


@dataclass(frozen=True)
class ServiceAgent:
    """Google's own account of a service in a project, which is made at first use or on request.

    IAM refuses a binding of one that does not exist (400, cloud-foundation-fabric#3788), and none can be looked up:
    a member that has the grant exists.
    """

    name: str
    """Email."""
    create: Request
    needed_by: Grant

    kind = "service agent"


Step = Resource | SecretValue | ServiceAgent | Grant


def holds(answer: Fields, wanted: Fields) -> bool:
    """Whether `answer` has every field of `wanted`, at any depth; what it has besides does not matter.

    A list may have its elements in any order.
    """
    return all(_same(answer.get(name), value) for name, value in wanted.items())


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return holds(found or {}, wanted)
    if isinstance(wanted, list):
        return sorted(found or []) == sorted(wanted)
    return bool(found == wanted)
