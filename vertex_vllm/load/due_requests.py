"""Requests of a load as values: when each is due, and how long its prompt and answer are."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from vertex_vllm.catalog.load_profiles import Lengths, Profile
from vertex_vllm.errors import InputError
from vertex_vllm.load.traces import Trace


@dataclass(frozen=True)
class Due:
    """A request that will be sent."""

    number: int
    """From 0, in the order of sending."""
    seconds: float
    """After the load's start; in a closed loop 0: it is sent when an earlier one has ended."""
    lengths: Lengths
    """Tokens of prompt and answer."""
    warm_up: bool = False
    """Sent, and left out of the figures."""


@dataclass(frozen=True)
class OpenLoop:
    """Requests arrive whether or not earlier ones were answered, as those of independent users do."""

    rate: float
    """Requests per second."""
    poisson: bool = True
    """Exponential gaps, as of independent users; False: equal gaps."""

    def arrivals(self, count: int, seed: int) -> tuple[float, ...]:
        """Seconds of each arrival, the first at 0."""
        source = random.Random(f"arrivals {seed}")
        moments, now = [], 0.0
        for _ in range(count):
            moments.append(now)
            now += source.expovariate(self.rate) if self.poisson else 1 / self.rate
        return tuple(moments)


@dataclass(frozen=True)
class ClosedLoop:
    """A fixed number of requests is under way: each answer makes room for the next request."""

    concurrency: int


@dataclass(frozen=True)
class Recorded:
    """The arrivals of a trace, sped up by a factor."""

    moments: tuple[float, ...]
    factor: float = 1.0

    @property
    def rate(self) -> float:
        """Requests per second, on average."""
        span = self.moments[-1] / self.factor
        return (len(self.moments) - 1) / span if span else float(len(self.moments))

    def arrivals(self, count: int, seed: int) -> tuple[float, ...]:
        """Raises InputError where the trace has fewer; `seed` changes nothing."""
        if count > len(self.moments):
            raise InputError(f"the trace has {len(self.moments)} requests, and {count} are needed")
        return tuple(moment / self.factor for moment in self.moments[:count])


Arrivals = OpenLoop | ClosedLoop | Recorded


def schedule(arrivals: Arrivals, profile: Profile | Trace, count: int, warm_up: int, seed: int) -> tuple[Due, ...]:
    """`warm_up` requests that are left out of the figures, then `count` that are measured, in their order."""
    total = count + warm_up
    lengths = profile.draw(total, seed)
    moments: Sequence[float] = [0.0] * total if isinstance(arrivals, ClosedLoop) else arrivals.arrivals(total, seed)
    return tuple(
        Due(number, moment, lengths[number], warm_up=number < warm_up) for number, moment in enumerate(moments)
    )
