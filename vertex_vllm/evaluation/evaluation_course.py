"""The course of an evaluation: when questions were asked and loads were put on, with the gaps between attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vertex_vllm.evaluation.evaluate import Evaluation

_NEAR_SECONDS = 1.0
"""Requests no further apart than this are drawn as a single bar."""


@dataclass(frozen=True)
class Phase:
    """Questions, or one load. Moments in seconds since 1970."""

    name: str
    spans: tuple[tuple[float, float], ...]
    """Start and end of each stretch of time without a gap, ascending."""
    failed_at: tuple[float, ...] = ()
    """Starts of requests that failed; of loads they are counted elsewhere."""

    @property
    def start(self) -> float:
        return self.spans[0][0]

    @property
    def end(self) -> float:
        return self.spans[-1][1]


def course_of(evaluation: Evaluation) -> tuple[Phase, ...]:
    """Phases in the order of their starts; absent: phases whose moments are not known."""
    replies = [answered.reply for answered in evaluation.answers if answered.reply.sent_at]
    phases = []
    if replies:
        spans = merged([(reply.sent_at, reply.sent_at + reply.seconds) for reply in replies])
        failed = tuple(sorted(reply.sent_at for reply in replies if reply.error))
        phases.append(Phase("questions", spans, failed))
    result = evaluation.load.result
    figures = [] if result is None else [result.figures, *(result.search.steps if result.search else ())]
    for each in figures:
        if each.started_at:
            start = datetime.fromisoformat(each.started_at).timestamp()
            name = f"{each.rate:.3g} requests/s" if each.rate else f"{each.concurrency} at once"
            phases.append(Phase(f"load, {name}", ((start, start + each.seconds),)))
    return tuple(sorted(phases, key=lambda phase: phase.start))


def merged(spans: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Spans that overlap, or are less than a second apart, as single ones."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + _NEAR_SECONDS:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return tuple(found)
