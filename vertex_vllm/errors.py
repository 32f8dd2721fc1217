"""Every error this project raises on purpose.

    VertexVllmError                 exit code 1
    ├── InputError                  exit code 2: what the user gave cannot work as it stands
    │   ├── ConfigError             a file in configs/, all of its faults at once
    │   ├── HubAccessError          the Hugging Face Hub said no
    │   │   ├── TokenMissingError
    │   │   ├── TokenInvalidError
    │   │   ├── LicenseNotAcceptedError
    │   │   ├── RepositoryNotFoundError
    │   │   └── RevisionNotFoundError
    │   ├── SecretAccessError       Secret Manager has no such secret, or does not let us read it
    │   ├── BucketError             the bucket is elsewhere, or somebody else's
    │   └── PlanError               no machine, image or argument list can serve this model as asked
    ├── QuotaShortageError          the project may not rent that many accelerators
    ├── MirrorError                 the weights could not be copied, or are not what the Hub says they are
    ├── DeploymentError             upload, deploy or undeploy failed, was cancelled, or ran out of time
    │   └── StockoutError           there are no such machines to be had, with all places that were tried
    ├── InferenceError              the endpoint refused, or answered with something malformed
    ├── GateError                   the evaluation ran, and its figures miss a threshold
    ├── LockedError                 another run is working on the same deployment
    ├── TeardownError               something this project made is still there
    └── ServiceError                a Google API failed for good, with the service's own words
        ├── RegionClosedError       the project may not use the region, so nothing of it is there
        └── UnreachableError        a host cannot be asked from here until a setting is changed

A message says what was wrong; `where` names the file and field, or the resource; `fix` is the next thing to try.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal


class VertexVllmError(Exception):
    """Base of them all. `str()` gives the one line that a person reads."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        located = f"{self.where}: {self.message}" if self.where else self.message
        return f"{located.rstrip('.')}. {self.fix}" if self.fix else located


class InputError(VertexVllmError):
    exit_code: ClassVar[int] = 2


class ConfigError(InputError):
    """All faults of one config file: one line each, already located as `file:line: field: what. Fix.`"""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class HubAccessError(InputError):
    pass


class TokenMissingError(HubAccessError):
    pass


class TokenInvalidError(HubAccessError):
    pass


class LicenseNotAcceptedError(HubAccessError):
    pass


class RepositoryNotFoundError(HubAccessError):
    pass


class RevisionNotFoundError(HubAccessError):
    pass


class SecretAccessError(InputError):
    pass


class BucketError(InputError):
    pass


class PlanError(InputError):
    pass


class QuotaShortageError(VertexVllmError):
    pass


class MirrorError(VertexVllmError):
    pass


class DeploymentError(VertexVllmError):
    pass


Blocks = Literal["zone", "region", "everywhere"]


@dataclass(frozen=True)
class Stockout:
    """A refusal for want of machines in one form, whichever service worded it."""

    code: str
    """Status, for example RESOURCE_EXHAUSTED."""
    domain: str
    """quota: the project may not; capacity: there are none."""
    message: str
    blocks: Blocks

    def __str__(self) -> str:
        return f"{self.domain}, {self.code}: {self.message}"


@dataclass(frozen=True)
class Attempt:
    """A place where a deployment was refused for want of machines."""

    region: str
    machine_type: str
    accelerator_type: str
    stockout: Stockout

    def __str__(self) -> str:
        return f"{self.machine_type} in {self.region}: {self.stockout}"


class StockoutError(DeploymentError):
    def __init__(self, message: str, *, where: str = "", fix: str = "", attempts: tuple[Attempt, ...]) -> None:
        super().__init__(message, where=where, fix=fix)
        self.attempts = attempts


class InferenceError(VertexVllmError):
    pass


class GateError(VertexVllmError):
    pass


class LockedError(VertexVllmError):
    pass


class TeardownError(VertexVllmError):
    pass


class ServiceError(VertexVllmError):
    pass


class RegionClosedError(ServiceError):
    pass


class UnreachableError(ServiceError):
    pass
