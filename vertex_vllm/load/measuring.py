"""A load on one server, from its settings to its figures; with a search for the highest rate that meets the SLO."""

import math
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from vertex_vllm.catalog.load_profiles import Profile, named_profile
from vertex_vllm.errors import CapReachedError, InferenceError
from vertex_vllm.load.address import Address
from vertex_vllm.load.due_requests import Arrivals, ClosedLoop, Due, OpenLoop, Recorded, schedule
from vertex_vllm.load.figures import LATE_SECONDS, LoadFigures, figures_of
from vertex_vllm.load.generator import LoadGenerator
from vertex_vllm.load.kept_steps import KeptSteps, NoSteps, Step
from vertex_vllm.load.load_caps import NO_CAPS, LoadCaps
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.loops import Limits
from vertex_vllm.load.rate_search import CutShort, RateSearch, highest_rate
from vertex_vllm.load.samples import Run, Sample
from vertex_vllm.load.slo import Slo
from vertex_vllm.load.traces import Trace, open_trace

DRAIN_SECONDS = 60.0
"""Seconds to wait for answers after the last request of a load was sent."""
MOST_UNDER_WAY = 8192
OWN_TIME = "load.max_minutes"
"""The load's own cap on time, which the questions have no part in."""
_MOST_KEPT = 2000


@dataclass(frozen=True)
class LoadResult:
    """Settings, figures and samples of a load."""

    settings: LoadSettings
    figures: LoadFigures
    """At the settings' rate, or of its closed loop."""
    samples: tuple[Sample, ...]
    """Of those figures, warm-up included."""
    search: RateSearch | None
    prompt_tokens: int
    """Of all requests that this load sent, as the server counts them: warm-up, probes and search included."""
    output_tokens: int
    ended_by: str = ""
    """Cap that ended the load before all of its requests were sent, or its search: max_requests, max_tokens,
    max_minutes, max_usd, or load.max_minutes, the load's own; empty: none did."""

    def to_document(self) -> dict[str, Any]:
        """JSON values. Of the samples at most 2,000, spread over the load."""
        measured = [sample for sample in self.samples if not sample.warm_up]
        step = max(math.ceil(len(measured) / _MOST_KEPT), 1)
        search = None
        if self.search is not None:
            best, saturation = self.search.best, self.search.saturation
            search = {
                "ended_because": self.search.ended_because,
                "slo_rate": best.rate if best else None,
                "saturation_rate": saturation.completed_per_second if saturation else None,
                "steps": [{**asdict(each), "timeline": []} for each in self.search.steps],
            }
        return {
            "settings": asdict(self.settings),
            "figures": asdict(self.figures),
            "search": search,
            "ended_by": self.ended_by,
            "tokens": {"prompt": self.prompt_tokens, "output": self.output_tokens},
            "samples": [_row(sample) for sample in measured[::step]],
        }


def measure_load(
    address: Address, settings: LoadSettings, kept: KeptSteps | None = None, caps: LoadCaps = NO_CAPS
) -> LoadResult:
    """Puts the load on the server, and searches the highest rate if the settings ask for it.

    `kept`: steps that an earlier attempt finished, which are not measured again; they count against `caps`.

    Raises InputError for settings that cannot work and for lengths that the server refuses, CapReachedError where the
    caps leave no measured request, InferenceError where no request at all was answered, or none was measured in the
    load's own time.
    """
    settings.check()
    load = _Load(address, settings, kept or NoSteps(), caps)
    with load.generator:
        load.generator.probe(load.profile.longest)
        try:
            run, figures = load.once(settings.rate)
        except CutShort as cut:
            said = f"{load.ended_by} was reached before a request was measured: {cut}"
            raise (InferenceError if load.ended_by == OWN_TIME else CapReachedError)(said) from cut
        if figures.failed == figures.requests:
            first = next(iter(figures.errors))
            raise InferenceError(f"None of {figures.requests} requests of the load was answered; most often: {first}")
        search = None
        if settings.find_highest_rate:
            search = highest_rate(
                lambda rate: load.once(rate)[1], load.first_rate(figures), load.out_of_time, most_late(settings.slo)
            )
    return LoadResult(settings, figures, run.samples, search, *load.counted(), load.ended_by)


def most_late(slo: Slo) -> float:
    """Seconds of timer error that distort no verdict: a tenth of the shortest limit, and never below 5 ms."""
    return max(LATE_SECONDS, min(slo.limits.values(), default=0.0) / 10)


class _Load:
    """A profile on a server, and the requests and tokens counted so far."""

    def __init__(self, address: Address, settings: LoadSettings, kept: KeptSteps, caps: LoadCaps) -> None:
        self._settings, self._kept, self._caps = settings, kept, caps
        self._seconds_before = 0.0  # Of steps that an earlier attempt finished.
        self._began = time.monotonic()
        self._requests = self._prompt_tokens = self._output_tokens = 0
        self._seed = settings.seed
        self.profile = profile_of(settings)
        self.ended_by = ""
        """As in `LoadResult`."""
        self.generator = LoadGenerator(address)

    def once(self, rate: float) -> tuple[Run, LoadFigures]:
        """A load at `rate`, 0: the closed loop. Raises CutShort where a cap was reached before its warm-up was over."""
        self._seed += 1  # Other times and prompts than in the step before, whose prompts the server has cached.
        planned = self._planned(rate)
        dues, cap = self._left().allowed(planned)
        step = self._kept.found(self._seed, rate)
        if step is not None:
            self._seconds_before += step.seconds
        else:
            step = self._measured(rate, dues)
            self._kept.keep(step)
        self._count(step.run.samples)
        if len(step.run.samples) < len(planned):
            self.ended_by = cap if len(step.run.samples) >= len(dues) else self._time_cap()
        if all(sample.warm_up for sample in step.run.samples):
            raise CutShort(next((sample.error for sample in step.run.samples if sample.error), "no request was sent"))
        concurrency = 0 if rate else self._settings.concurrency
        return step.run, figures_of(
            step.run,
            self._settings.slo,
            self.profile.name,
            rate=rate,
            concurrency=concurrency,
            started_at=step.started_at,
        )

    def _planned(self, rate: float) -> tuple[Due, ...]:
        measured = self._settings.measured(rate)
        warm_up = self._settings.warm_up(measured, rate)
        return schedule(self._arrivals(rate), self.profile, measured, warm_up, self._seed)

    def _measured(self, rate: float, dues: tuple[Due, ...]) -> Step:
        settings, began = self._settings, time.monotonic()
        limits = Limits(self._seconds_left(), DRAIN_SECONDS, MOST_UNDER_WAY)
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        streams = settings.concurrency if not rate else math.ceil(rate * 10)
        run = self.generator.run(dues, limits, streams, 0 if rate else settings.concurrency, self._seed)
        return Step(self._seed, rate, started_at, time.monotonic() - began, run)

    def first_rate(self, figures: LoadFigures) -> float:
        """Half of what the first load completed, or its own rate."""
        return figures.rate or max(figures.completed_per_second / 2, 0.05)

    def out_of_time(self) -> str:
        """Why no further step is measured; empty: there may be one."""
        if cap := self._left().used_up:
            self.ended_by = cap
            return f"{cap} was reached"
        if self._seconds_left() > 0:
            return ""
        self.ended_by = self._time_cap()
        return f"{self.ended_by} was reached"

    def counted(self) -> tuple[int, int]:
        """Prompt and output tokens of everything that was sent."""
        probes = self.generator.probes
        return (
            self._prompt_tokens + sum(sample.prompt_tokens or 0 for sample in probes),
            self._output_tokens + sum(sample.output_tokens or 0 for sample in probes),
        )

    def _arrivals(self, rate: float) -> Arrivals:
        if not rate:
            return ClosedLoop(self._settings.concurrency)
        if isinstance(self.profile, Trace) and self.profile.seconds:
            recorded = Recorded(self.profile.seconds)
            return Recorded(self.profile.seconds, rate / recorded.rate)
        return OpenLoop(rate)

    def _left(self) -> LoadCaps:
        """The caps on requests and tokens after all that was sent."""
        return self._caps.after(self._requests + len(self.generator.probes), sum(self.counted()))

    def _seconds_left(self) -> float:
        return min(self._seconds_allowed.values()) - (time.monotonic() - self._began) - self._seconds_before

    def _time_cap(self) -> str:
        """Name of the cap that ends the load soonest."""
        return min(self._seconds_allowed, key=lambda name: self._seconds_allowed[name])

    @property
    def _seconds_allowed(self) -> dict[str, float]:
        own = {OWN_TIME: self._settings.most_minutes * 60}
        return own if self._caps.seconds is None else own | {self._caps.seconds_cap: self._caps.seconds}

    def _count(self, samples: tuple[Sample, ...]) -> None:
        self._requests += len(samples)
        self._prompt_tokens += sum(sample.prompt_tokens or 0 for sample in samples)
        self._output_tokens += sum(sample.output_tokens or 0 for sample in samples)


def profile_of(settings: LoadSettings) -> Profile | Trace:
    """The settings' profile or trace. Raises InputError for an unknown profile or a malformed trace, ServiceError."""
    if settings.trace:
        return open_trace(settings.trace)
    return named_profile(settings.profile, settings.prompt_tokens, settings.answer_tokens, "evaluation.load")


def _row(sample: Sample) -> dict[str, Any]:
    """Seconds; the start is the load's, latencies are the request's own."""
    return {
        "started": sample.started,
        "time_to_first_token": sample.latency("time_to_first_token"),
        "inter_token_latency": sample.latency("inter_token_latency"),
        "end_to_end": sample.latency("end_to_end"),
        "longest_gap": sample.longest_gap,
        "prompt_tokens": sample.prompt_tokens,
        "output_tokens": sample.output_tokens,
        "error": sample.error,
    }
