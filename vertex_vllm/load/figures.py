"""Figures of one load: latencies with intervals, rates, errors, and the goodput under an SLO."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from vertex_vllm.load.block_bootstrap import estimate_mean
from vertex_vllm.load.samples import LATENCIES, Run, Sample
from vertex_vllm.load.slo import Slo
from vertex_vllm.percentiles import Estimate, enough_samples, estimate_percentile, percentile

PERCENTILES = (50.0, 95.0, 99.0)
LATE_SECONDS = 0.005
"""Timer error at the 99th percentile above which the generator fell behind, and its figures are marked."""
SATURATED_SHARE = 0.9
"""A server that completes less than this share of what arrives is saturated: its queue grows."""
_STEADY = 5
"""Requests per concurrent user from which on a closed loop's beginning and end are left out of its rates."""
_MOST_ERRORS = 20


@dataclass(frozen=True)
class LoadFigures:
    """Seconds, tokens per second and requests per second. A latency that was not measured is absent."""

    rate: float
    """Requests per second that were asked for; 0: a closed loop."""
    concurrency: int
    """Of a closed loop; 0: an open one."""
    profile: str
    requests: int
    """Measured ones: without warm-up."""
    failed: int
    errors: dict[str, int]
    """The most frequent messages and how often each came."""
    seconds: float
    """Length of the time that rates refer to."""
    sent_per_second: float
    completed_per_second: float
    output_tokens_per_second: float | None
    """Of all requests together. None: the server did not count the tokens of every answer."""
    input_tokens_per_second: float | None
    latencies: dict[str, dict[str, Estimate]]
    """Name of a latency → `p50`, `p95`, … → estimate."""
    gated: float
    """The SLO's percentile."""
    enough: bool
    """Whether the requests suffice for that percentile."""
    goodput_share: Estimate | None
    """Share of requests within every limit of the SLO, failed ones counted as outside. None: no SLO."""
    goodput_per_second: float | None
    meets_slo: bool | None
    """Whether at least the SLO's percentile of requests is within every limit. None: no SLO, or too few requests for
    it to be met."""
    timer_error_p99: float
    """By how many seconds requests were sent late; in a closed loop, by how many the event loop woke late."""
    fell_behind: bool
    """The generator was late, so its figures are worse than the server's."""
    saturated: bool
    most_under_way: int
    cpu_seconds_per_request: float
    started_at: str = ""
    """UTC, ISO 8601."""
    timeline: tuple[dict[str, float], ...] = field(default=(), repr=False)
    """For each of up to 60 equal parts of the load: start, sent, completed, failed, output tokens per second."""


def figures_of(
    run: Run, slo: Slo, profile: str, *, rate: float = 0.0, concurrency: int = 0, started_at: str = ""
) -> LoadFigures:
    """The figures of a load. Raises ValueError where it has no measured request."""
    measured = [sample for sample in run.samples if not sample.warm_up]
    if not measured:
        raise ValueError("a load without measured requests")
    done = [sample for sample in measured if not sample.error]
    start, end = _window(measured, concurrency)
    seconds = max(end - start, 1e-9)
    completed = sum(start <= sample.ended < end or sample.ended == end for sample in done) / seconds
    within = [float(slo.met_by(sample)) for sample in measured]
    enough = len(measured) >= enough_samples(slo.percentile)
    sent = len(measured) / seconds if concurrency else (len(measured) - 1) / seconds
    late = run.late if concurrency else [sample.timer_error for sample in measured]
    timer_error = percentile(late, 99) if late else 0.0
    return LoadFigures(
        rate=rate,
        concurrency=concurrency,
        profile=profile,
        requests=len(measured),
        failed=len(measured) - len(done),
        errors=dict(Counter(sample.error for sample in measured if sample.error).most_common(_MOST_ERRORS)),
        seconds=seconds,
        sent_per_second=sent,
        completed_per_second=completed,
        output_tokens_per_second=_output_tokens(run.samples, start, end),
        input_tokens_per_second=_input_tokens(done, seconds),
        latencies=_latencies(done, slo),
        gated=slo.percentile,
        enough=enough,
        goodput_share=estimate_mean(within) if slo else None,
        goodput_per_second=sent * sum(within) / len(within) if slo else None,
        meets_slo=_verdict(within, slo.percentile / 100, enough) if slo else None,
        timer_error_p99=timer_error,
        fell_behind=timer_error > LATE_SECONDS,
        saturated=bool(rate) and len(measured) > 1 and completed < SATURATED_SHARE * sent,
        most_under_way=_most_under_way(run.samples),
        cpu_seconds_per_request=run.cpu_seconds / len(run.samples),
        started_at=started_at,
        timeline=timeline_of(run.samples),
    )


def _verdict(within: Sequence[float], wanted: float, enough: bool) -> bool | None:
    met = sum(within) >= wanted * len(within)
    return (True if enough else None) if met else False


def _window(measured: Sequence[Sample], concurrency: int) -> tuple[float, float]:
    """Start and end of the time that rates refer to. Open loop: while requests arrive, so that its end is not idle.

    Closed loop: while all of its users are busy, where it has enough requests to leave the end out.
    """
    start, last = min(sample.started for sample in measured), max(sample.started for sample in measured)
    end = max(sample.ended for sample in measured)
    if concurrency and len(measured) < _STEADY * concurrency:
        return start, end
    return (start, last) if last > start else (start, end)


def _output_tokens(samples: Sequence[Sample], start: float, end: float) -> float | None:
    counts = [sample.output_tokens for sample in samples if not sample.error]
    if not counts or None in counts:
        return None
    return sum(sample.tokens_between(start, end) for sample in samples) / (end - start) if end > start else None


def _input_tokens(done: Sequence[Sample], seconds: float) -> float | None:
    counted = [sample.prompt_tokens for sample in done if sample.prompt_tokens is not None]
    return sum(counted) / seconds if counted else None


def _latencies(done: Sequence[Sample], slo: Slo) -> dict[str, dict[str, Estimate]]:
    found = {}
    for name in LATENCIES:
        values = [seconds for sample in done if (seconds := sample.latency(name)) is not None]
        if values:
            wanted = sorted({*PERCENTILES, slo.percentile})
            found[name] = {f"p{percent:g}": estimate_percentile(values, percent) for percent in wanted}
    return found


def _most_under_way(samples: Sequence[Sample]) -> int:
    changes = sorted([(sample.started, 1) for sample in samples] + [(sample.ended, -1) for sample in samples])
    now = most = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def timeline_of(samples: Sequence[Sample], parts: int = 60) -> tuple[dict[str, float], ...]:
    """Rates over the load's time, warm-up included."""
    end = max(sample.ended for sample in samples)
    parts = max(min(parts, len(samples)), 1)
    width = max(end / parts, 1e-9)
    rows = []
    for number in range(parts):
        start, stop = number * width, (number + 1) * width
        ended = [each for each in samples if start <= each.ended < stop or (number == parts - 1 and each.ended >= stop)]
        rows.append(
            {
                "start": start,
                "sent": sum(start <= each.started < stop for each in samples) / width,
                "completed": sum(not each.error for each in ended) / width,
                "failed": sum(bool(each.error) for each in ended) / width,
                "output_tokens": sum(each.tokens_between(start, stop) for each in samples) / width,
            }
        )
    return tuple(rows)
