"""Every error this project raises on purpose.

    VertexVllmError                 exit code 1
    ├── InputError                  exit code 2: the user's config, option or file cannot work as it is
    │   ├── ConfigError             a file in configs/, all of its faults at once
    │   ├── HubAccessError          the Hugging Face Hub refused
    │   │   ├── TokenMissingError
    │   │   ├── TokenInvalidError
    │   │   ├── LicenseNotAcceptedError
    │   │   ├── RepositoryNotFoundError
    │   │   └── RevisionNotFoundError
    │   ├── SecretAccessError       Secret Manager has no such secret, or does not let us read it
    │   ├── BucketError             the bucket is elsewhere, or somebody else's
    │   ├── CapReachedError         the evaluation's caps leave no room for its load
    │   └── PlanError               no machine, image or argument list can serve this model as asked
    ├── QuotaShortageError          the project may not rent that many accelerators
    ├── MirrorError                 the weights could not be copied, or are not what the Hub says they are
    ├── DeploymentError             upload, deploy or undeploy failed, was cancelled, or ran out of time
    │   └── StockoutError           no place has the machine in stock; holds all places that were tried
    ├── InferenceError              the endpoint refused, or answered with something malformed
    ├── GateError                   the evaluation ran, and its figures miss a threshold
    ├── LockedError                 another run is working on the same deployment
    ├── TeardownError               a resource that this project created still exists
    └── ServiceError                a Google API failed for good, with the service's own words
        ├── RegionClosedError       the project may not use the region, so it has nothing there
        └── UnreachableError        a host cannot be asked from here until a setting is changed

A message says what was wrong; `where` names the file and field, or the resource; `fix` is the next thing to try. Each
class adds the data that a program may need. `text_of` is the one place that turns an error into these three texts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

from vertex_vllm.error_data import Attempt, ConfigFault, ErrorText, MissedGate, Refusal


class VertexVllmError(Exception):
    """Base of them all. `str()` gives the one line that a person reads."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "", *, where: str = "", fix: str = "", refusal: Refusal | None = None) -> None:
        super().__init__(message)
        self.given = ErrorText(message, where, fix)
        """The texts as raised; what is shown comes from `text_of`."""
        self.refusal = refusal
        """Answer of a Google service, if that is the cause."""

    @property
    def message(self) -> str:
        return text_of(self).message

    @property
    def where(self) -> str:
        return text_of(self).where

    @property
    def fix(self) -> str:
        return text_of(self).fix

    @property
    def retryable(self) -> bool:
        """True where the same command may succeed later without any change."""
        return self.refusal is not None and self.refusal.retryable

    def reworded(self, message: str = "", *, where: str = "", fix: str = "") -> Self:
        """The same error, its data included, with other texts; an empty text leaves the one it has."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.given = ErrorText(message or self.message, where or self.where, fix or self.fix)
        other.args = (other.given.message,)
        return other

    def __str__(self) -> str:
        return str(text_of(self))


class InputError(VertexVllmError):
    """`where` is the option, parameter, field of a config, variable or file that holds the wrong value."""

    exit_code: ClassVar[int] = 2


class ConfigError(InputError):
    """All faults of one or several config files, a line each: `file:line: field: fault. Remedy.`"""

    def __init__(self, faults: Sequence[ConfigFault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


class HubAccessError(InputError):
    """The Hub's refusal to show `repo` (OWNER/NAME), its `revision`, or its file `path`; empty where not concerned."""

    def __init__(
        self, message: str, *, where: str = "", fix: str = "", repo: str = "", revision: str = "", path: str = ""
    ) -> None:
        super().__init__(message, where=where or repo, fix=fix)
        self.repo = repo
        self.revision = revision
        self.path = path


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
    """`secret` is the resource name of the version; empty where the given name is not one, as it may be the token."""

    def __init__(
        self, message: str, *, where: str = "", fix: str = "", secret: str = "", refusal: Refusal | None = None
    ) -> None:
        super().__init__(message, where=where or secret, fix=fix, refusal=refusal)
        self.secret = secret


class BucketError(InputError):
    """`bucket` is the name without `gs://`."""

    def __init__(
        self, message: str, *, bucket: str, where: str = "", fix: str = "", refusal: Refusal | None = None
    ) -> None:
        super().__init__(message, where=where or f"gs://{bucket}", fix=fix, refusal=refusal)
        self.bucket = bucket


class PlanError(InputError):
    """`missing`: files that the repository lacks, or consent (a field of the config) that the config lacks."""

    def __init__(self, message: str, *, where: str = "", fix: str = "", missing: Sequence[str] = ()) -> None:
        super().__init__(message, where=where, fix=fix)
        self.missing = tuple(missing)


class CapReachedError(InputError):
    """The message names the cap."""


class QuotaShortageError(VertexVllmError):
    """`limit` is what the project may hold by `quota_id` in `region`, `needed` what the plan's minimum takes."""

    def __init__(
        self, message: str, *, where: str = "", fix: str = "", quota_id: str, region: str, limit: int, needed: int
    ) -> None:
        super().__init__(message, where=where, fix=fix)
        self.quota_id = quota_id
        self.region = region
        self.limit = limit
        self.needed = needed


class MirrorError(VertexVllmError):
    """`path` is the file of the repository that failed; empty where no single file did."""

    def __init__(self, message: str, *, where: str = "", fix: str = "", path: str = "") -> None:
        super().__init__(message, where=where, fix=fix)
        self.path = path


class DeploymentError(VertexVllmError):
    """`where` is a resource name. `operation`: name of the operation that failed or was cancelled."""

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        fix: str = "",
        refusal: Refusal | None = None,
        operation: str = "",
        stopped_by: str = "",
    ) -> None:
        """`stopped_by`: name of the signal that ended it; empty: no signal did."""
        super().__init__(message, where=where, fix=fix, refusal=refusal)
        self.operation = operation
        self.stopped_by = stopped_by


class StockoutError(DeploymentError):
    """`attempts`: every place that was tried, in order, with its refusal."""

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        fix: str = "",
        attempts: tuple[Attempt, ...],
        refusal: Refusal | None = None,
    ) -> None:
        super().__init__(message, where=where, fix=fix, refusal=refusal)
        self.attempts = attempts

    @property
    def retryable(self) -> bool:
        return any(attempt.stockout.domain != "quota" for attempt in self.attempts)


class InferenceError(VertexVllmError):
    """`status` is the HTTP status of the answer; 0 without an answer, or where the answer itself is malformed."""

    def __init__(self, message: str, *, where: str = "", fix: str = "", status: int = 0) -> None:
        super().__init__(message, where=where, fix=fix)
        self.status = status


class GateError(VertexVllmError):
    """`missed`: every gate that failed. `message`: the verdict in sentences; empty: the gates state it."""

    def __init__(self, missed: Sequence[MissedGate], *, message: str = "", where: str = "", fix: str = "") -> None:
        super().__init__(message, where=where, fix=fix)
        self.missed = tuple(missed)


class LockedError(VertexVllmError):
    """`run` (a resource name) has held the lock of `deployment` `since` (ISO 8601)."""

    def __init__(self, message: str, *, fix: str = "", deployment: str, run: str, since: str) -> None:
        super().__init__(message, fix=fix)
        self.deployment = deployment
        self.run = run
        self.since = since

    @property
    def retryable(self) -> bool:
        return True


class TeardownError(VertexVllmError):
    """`remaining`: resource name → why it could not be removed; a region, where that could not be looked through."""

    def __init__(
        self,
        message: str = "",
        *,
        where: str = "",
        fix: str = "",
        refusal: Refusal | None = None,
        remaining: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, where=where, fix=fix, refusal=refusal)
        self.remaining = dict(remaining or {})


class ServiceError(VertexVllmError):
    pass


class RegionClosedError(ServiceError):
    pass


class UnreachableError(ServiceError):
    pass


_MESSAGES: dict[type[VertexVllmError], Callable[[Any], str]] = {
    ConfigError: lambda error: "\n".join(map(str, error.faults)),
    GateError: lambda error: "; ".join(map(str, error.missed)),
    TeardownError: lambda error: (
        "Still there: " + "; ".join(f"{name}: {reason}" for name, reason in error.remaining.items())
    ),
}
"""Classes whose message is made of their data, unless the raiser words it."""


def text_of(error: VertexVllmError) -> ErrorText:
    """Message, place and remedy of an error, as a person reads them."""
    if error.given.message:
        return error.given
    message = next((_MESSAGES[kind](error) for kind in type(error).__mro__ if kind in _MESSAGES), "")
    return ErrorText(message, error.given.where, error.given.fix)
