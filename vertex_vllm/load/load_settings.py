"""Settings of a load, and how many requests it takes."""

import math
from dataclasses import dataclass

from vertex_vllm.catalog.load_profiles import DEFAULT_PROFILE, lengths_told
from vertex_vllm.errors import InputError
from vertex_vllm.load.slo import NO_SLO, Slo
from vertex_vllm.percentiles import enough_samples

REQUESTS_PER_USER = 3
"""Requests per user of a closed loop whose percentiles are not gated."""
STEP_SECONDS = 10.0
"""Seconds. Shortest load at one rate of a search."""
_WARM_UP_SHARE, _WARM_UP_LEAST = 0.1, 2


@dataclass(frozen=True)
class LoadSettings:
    """The load of an evaluation."""

    rate: float = 0.0
    """Requests per second, at random moments; 0: a closed loop of `concurrency`."""
    concurrency: int = 4
    profile: str = DEFAULT_PROFILE
    prompt_tokens: str = ""
    """Distribution in the place of the profile's."""
    answer_tokens: str = ""
    trace: str = ""
    """File or gs:// object with recorded lengths, in the place of a profile."""
    requests: int = 0
    """Measured ones; 0: as many as the gated percentile needs, else three for each of a closed loop's users."""
    slo: Slo = NO_SLO
    find_highest_rate: bool = False
    """Search the highest rate that meets the SLO."""
    most_minutes: float = 30.0
    """Longest time of the whole load; a search then ends with the rates measured by then."""
    gated_percentile: float = 0.0
    """Percentile of a threshold outside of the SLO; 0: there is none."""
    seed: int = 1

    @property
    def lengths(self) -> str:
        """As `lengths_told` says it."""
        return lengths_told(self.profile, self.prompt_tokens, self.answer_tokens, self.trace)

    def measured(self, rate: float = 0.0) -> int:
        """Requests that are measured, of a step at `rate` or of the load itself.

        Raises InputError where fewer were asked for than the gated percentile needs.
        """
        needed = self.needed
        if self.requests and self.requests < needed:
            raise InputError(
                f"{self.requests} requests are too few for the {self.gate:g}th percentile, which is gated",
                where="evaluation.load.requests",
                fix=f"At least {needed} bound it on both sides with 95 % confidence; 0 takes as many as are needed.",
            )
        if self.requests:
            return self.requests
        by_time = math.ceil(rate * STEP_SECONDS)
        return max(needed, by_time, 0 if rate else REQUESTS_PER_USER * self.concurrency)

    @property
    def gate(self) -> float:
        """The percentile that a gate looks at; 0: none does."""
        return max(self.slo.percentile if self.slo else 0.0, self.gated_percentile)

    @property
    def needed(self) -> int:
        """Requests without which the gated percentile has no interval."""
        return enough_samples(self.gate) if self.gate else 1

    def warm_up(self, measured: int, rate: float) -> int:
        """Requests before the measured ones that are left out: in a closed loop the first of each user."""
        return max(math.ceil(measured * _WARM_UP_SHARE), _WARM_UP_LEAST) if rate else self.concurrency

    def check(self) -> None:
        """Raises InputError for a search without an SLO and for too few requests."""
        if self.find_highest_rate and not self.slo:
            raise InputError(
                "find_highest_rate needs an SLO",
                where="evaluation.load",
                fix="Set time_to_first_token_seconds, inter_token_latency_seconds or end_to_end_seconds.",
            )
        self.measured(self.rate)


DEFAULT_LOAD = LoadSettings()
