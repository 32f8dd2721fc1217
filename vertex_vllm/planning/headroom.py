"""Accelerators that a project may still rent, as far as they were read: the planner itself calls no service."""

from collections.abc import Mapping
from dataclasses import dataclass

# Cloud Quotas REST reference, QuotaDetails.value: -1 says unlimited.
UNLIMITED = -1
"""Of a limit (Cloud Quotas REST reference, `QuotaDetails.value`)."""


@dataclass(frozen=True)
class Headroom:
    """Accelerators of one quota in one region."""

    limit: int
    """-1: unlimited."""
    used: int | None
    """Accelerators of all endpoints at their largest; None: it could not be read."""

    @property
    def left(self) -> int | None:
        """Accelerators that may still be rented; None: any number."""
        return None if self.limit == UNLIMITED else max(0, self.limit - (self.used or 0))

    def __str__(self) -> str:
        if self.limit == UNLIMITED:
            return "unlimited"
        return f"{self.limit} less {self.used} in use" if self.used is not None else f"{self.limit}, use not known"


Quotas = Mapping[tuple[str, str], Headroom]
"""Headroom by Cloud Quotas id and region; a missing key was not read."""
