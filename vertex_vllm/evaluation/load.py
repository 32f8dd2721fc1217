"""The load of an evaluation: sent to the endpoint after the questions, summed up in figures, gated by its SLO."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from vertex_vllm.errors import CapReachedError, InferenceError, InputError
from vertex_vllm.load.address import endpoint_address
from vertex_vllm.load.figures import LoadFigures, figures_of
from vertex_vllm.load.kept_steps import KeptSteps
from vertex_vllm.load.load_caps import NO_CAPS, LoadCaps
from vertex_vllm.load.load_settings import DEFAULT_LOAD, LoadSettings
from vertex_vllm.load.measuring import LoadResult, measure_load, profile_of
from vertex_vllm.load.samples import Run, Sample
from vertex_vllm.percentiles import enough_samples, percentile
from vertex_vllm.planning.measurement import token_price


@dataclass(frozen=True)
class Load:
    """Result of the load and price of the machines, or the reason for having no result."""

    result: LoadResult | None = None
    """None: no load was put on the endpoint, or none of its requests was answered."""
    failure: str = ""
    """Why there is no result; empty: there is one, or an endpoint that answered nothing was left alone."""
    usd_per_hour: float = 0.0
    """Of everything that serves the endpoint; 0: not known."""
    capped: bool = False
    """Whether the failure is that the evaluation's caps left no room for a load."""

    @property
    def measured(self) -> tuple[Sample, ...]:
        """Requests of the load without its warm-up; those of a search are not among them."""
        return tuple(sample for sample in self.result.samples if not sample.warm_up) if self.result else ()

    @property
    def within_slo(self) -> LoadFigures | None:
        """Figures of the highest rate that meets the SLO. None: it was not searched, or none meets it."""
        return self.result.search.best if self.result and self.result.search else None

    @property
    def saturation(self) -> LoadFigures | None:
        """Figures of the most output tokens per second of a search that reached saturation."""
        return self.result.search.saturation if self.result and self.result.search else None


def load_of(samples: Sequence[Sample], settings: LoadSettings = DEFAULT_LOAD, usd_per_hour: float = 0.0) -> Load:
    """The result of a closed loop from its requests, warm-up included."""
    run = Run(tuple(samples), late=(), cpu_seconds=0.0)
    figures = figures_of(run, settings.slo, settings.profile, concurrency=settings.concurrency)
    read, written = (sum(each or 0 for each in counts) for counts in zip(*map(_tokens, samples), strict=True))
    return Load(LoadResult(settings, figures, run.samples, None, read, written), usd_per_hour=usd_per_hour)


def _tokens(sample: Sample) -> tuple[int | None, int | None]:
    return sample.prompt_tokens, sample.output_tokens


def check_load(settings: LoadSettings) -> None:
    """Raises InputError for settings that cannot work and ServiceError for a trace that cannot be read.

    Called before the questions, so that faulty settings do not cost their time.
    """
    settings.check()
    profile_of(settings)


def put_load(
    endpoint_name: str,
    chat: bool,
    settings: LoadSettings,
    usd_per_hour: float = 0.0,
    kept: KeptSteps | None = None,
    answer_seconds: float | None = None,
    caps: LoadCaps = NO_CAPS,
) -> Load:
    """Puts the load on an endpoint of Vertex AI. A load that was not answered is a `Load` with its failure.

    `kept` and `caps` as in `measure_load`; `answer_seconds` as in `endpoint_address`.
    """
    try:
        result = measure_load(endpoint_address(endpoint_name, chat, answer_seconds), settings, kept, caps)
    except (InferenceError, InputError) as error:
        return Load(failure=str(error), usd_per_hour=usd_per_hour, capped=isinstance(error, CapReachedError))
    return Load(result, usd_per_hour=usd_per_hour)


def load_metrics(load: Load) -> dict[str, float]:
    """Name → figure. A figure that could not be measured is absent, never zero."""
    if load.result is None:
        return {}
    figures = load.result.figures
    found = {"load_requests": float(figures.requests), "load_failed_requests": float(figures.failed)}
    found |= {"load_rate": figures.rate} if figures.rate else {"load_concurrency": float(figures.concurrency)}
    found["load_timer_error_p99_seconds"] = figures.timer_error_p99
    told = ("p50", "p95", f"p{figures.gated:g}")
    for metric, latency in _LATENCIES.items():
        for which, estimate in figures.latencies.get(latency, {}).items():
            if which in told:
                found[f"{metric}_{which}_seconds"] = estimate.value
    speeds = [1 / seconds for sample in load.measured if (seconds := sample.latency("inter_token_latency"))]
    found |= {f"tokens_per_second_p{percent}": percentile(speeds, percent) for percent in (50, 95) if speeds}
    optional = {
        "load_output_tokens_per_second": figures.output_tokens_per_second,
        "load_input_tokens_per_second": figures.input_tokens_per_second,
        "goodput_per_second": figures.goodput_per_second,
        "goodput_share": figures.goodput_share.value if figures.goodput_share else None,
        "slo_rate": load.within_slo.rate if load.within_slo else None,
        "usd_per_million_output_tokens": _price(load, load.within_slo or figures),
        "usd_per_million_output_tokens_at_saturation": _price(load, load.saturation),
    }
    return found | {name: value for name, value in optional.items() if value is not None}


def load_document(load: Load) -> dict[str, Any] | None:
    """The section `load` of the evaluation's result; None: there was no load."""
    if load.result is None:
        return {"failure": load.failure} if load.failure else None
    return {
        **load.result.to_document(),
        "usd_per_hour": load.usd_per_hour or None,
        "usd_per_million_output_tokens": _price(load, load.within_slo or load.result.figures),
        "usd_per_million_output_tokens_at_saturation": _price(load, load.saturation),
    }


def load_needs(load: Load) -> tuple[tuple[str, float | None, float, bool], ...]:
    """Figure, what it is, what it must be, and whether at least or at most so much: what the SLO asks.

    Of a search: the highest rate that meets the SLO, at least the config's own. Otherwise the share of requests within
    every limit, not measured where the time was over before enough requests were sent.
    """
    if load.result is None or not load.result.settings.slo:
        return ()
    settings, metrics = load.result.settings, load_metrics(load)
    if settings.find_highest_rate:
        return (("slo_rate", metrics.get("slo_rate"), settings.rate, True),)
    share = metrics.get("goodput_share") if load.result.figures.meets_slo is not None else None
    return (("goodput_share", share, settings.slo.percentile / 100, True),)


def slowest_first_token(load: Load, percent: float) -> float | None:
    """Seconds to the first token that so many per cent of the requests stay below; a failed request is the slowest.

    None where the percentile is among the failed requests, or where fewer were sent than bound it on both sides.
    """
    measured = load.measured
    found = [sample.latency("time_to_first_token") for sample in measured if not sample.error]
    values = [seconds for seconds in found if seconds is not None]
    if not values or len(measured) < enough_samples(percent):
        return None
    reached = percentile(values + [inf] * sum(bool(sample.error) for sample in measured), percent)
    return reached if isfinite(reached) else None


def median_speed(load: Load) -> float | None:
    """Output tokens per second of the median request, a failed one counted as 0; None: tokens were not counted."""
    speeds = [1 / seconds for sample in load.measured if (seconds := sample.latency("inter_token_latency"))]
    failed = [0.0 for sample in load.measured if sample.error]
    return percentile(speeds + failed, 50) if speeds else None


# Metric's name → latency of a sample. `latency` is the older name of a whole answer's time.
_LATENCIES = {
    "latency": "end_to_end",
    "time_to_first_token": "time_to_first_token",
    "inter_token_latency": "inter_token_latency",
}


def _price(load: Load, figures: LoadFigures | None) -> float | None:
    """US dollars per million output tokens; None: the price or the tokens are not known."""
    speed = figures.output_tokens_per_second if figures else None
    return token_price(load.usd_per_hour, speed) if load.usd_per_hour and speed else None
