"""Values that errors carry: texts, faults of a config, missed gates, and the refusal of a Google service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

RETRYABLE_STATUS = frozenset({408, 429, 500, 502, 503, 504})
"""Cloud Storage's "Retry strategy" and huggingface_hub's `http_backoff` name the same six."""
RETRYABLE_CODES = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN"})


@dataclass(frozen=True)
class ErrorText:
    """The parts of what a person reads."""

    message: str
    where: str = ""
    fix: str = ""

    def __str__(self) -> str:
        located = f"{self.where}: {self.message}" if self.where else self.message
        return f"{located.rstrip('.')}. {self.fix}" if self.fix else located


@dataclass(frozen=True)
class ConfigFault:
    """A fault of one config file."""

    file: str
    line: int
    """From 1; 0: the whole file."""
    field: str
    """Path of the field, `serving.machine_type`; empty: the fault is not one field's."""
    message: str
    """Fault and remedy."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.field, self.message) if part)


class MissedGate(Protocol):
    """A figure of the evaluation that misses its threshold; `str()` gives both."""

    @property
    def figure(self) -> str: ...

    @property
    def have(self) -> float | None: ...

    @property
    def need(self) -> float: ...


@dataclass(frozen=True)
class Refusal:
    """An answer of a Google service with an error status, or the error of a long-running operation."""

    code: str
    """Name of the google.rpc.Code (`PERMISSION_DENIED`); the HTTP status (`403`) where the service gives no name."""
    message: str = ""
    """The service's own words, without the request that they answer."""
    reason: str = ""
    """Of google.rpc.ErrorInfo (`SERVICE_DISABLED`), of JSON's first error (`forbidden`), or XML's code."""
    resource: str = ""
    """Resource that the service names as refused; empty where it names none."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Metadata of google.rpc.ErrorInfo: `permission`, `service`, `consumer`, …"""

    @property
    def retryable(self) -> bool:
        """True where the same call may succeed later without any change."""
        return self.code in RETRYABLE_CODES or self.code in map(str, RETRYABLE_STATUS)

    @property
    def words(self) -> str:
        """The message; status and reason where the service gives none."""
        return self.message or " ".join(part for part in (f"status {self.code}", self.reason) if part)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code else self.message


Blocks = Literal["zone", "region", "everywhere"]


@dataclass(frozen=True)
class Stockout:
    """A refusal for want of machines in one form, whichever service worded it."""

    code: str
    """Status, for example RESOURCE_EXHAUSTED."""
    domain: str
    """quota: the project's quota is used up; capacity: Google has no such machines free."""
    message: str
    """The service's own words."""
    blocks: Blocks
    """Where another attempt would fail, too."""

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
