"""A service level objective: limits on latencies, and the percentile of requests that must stay within them."""

from collections.abc import Iterator
from dataclasses import dataclass

from vertex_vllm.catalog.load_profiles import slo_told
from vertex_vllm.load.samples import Sample

DEFAULT_PERCENTILE = 95.0


@dataclass(frozen=True)
class Slo:
    """Seconds; 0 sets no limit."""

    time_to_first_token: float = 0.0
    inter_token_latency: float = 0.0
    """Mean time of an output token after the first, of one request."""
    end_to_end: float = 0.0
    percentile: float = DEFAULT_PERCENTILE
    """Of the requests, 50 to 99.9: so many per cent must be within every limit; the rest may be slower, or fail."""

    @property
    def words(self) -> str:
        """As `slo_told` says it; empty: no limit is set."""
        return slo_told(self.percentile, self.time_to_first_token, self.inter_token_latency, self.end_to_end)

    @property
    def limits(self) -> dict[str, float]:
        """Name of a latency → its limit in seconds, of those that are set."""
        return dict(self._limits())

    def _limits(self) -> Iterator[tuple[str, float]]:
        for name in ("time_to_first_token", "inter_token_latency", "end_to_end"):
            if limit := getattr(self, name):
                yield name, limit

    def __bool__(self) -> bool:
        return any(self._limits())

    def met_by(self, sample: Sample) -> bool:
        """Whether one request was answered within every limit. A latency that was not measured is not within it.

        An answer of one token has no inter-token latency, and so meets that limit.
        """
        if sample.error:
            return False
        for name, limit in self._limits():
            seconds = sample.latency(name)
            if seconds is None and not (name == "inter_token_latency" and sample.first_token is not None):
                return False
            if seconds is not None and seconds > limit:
                return False
        return True


NO_SLO = Slo()
