"""Times of one request of a load."""

from dataclasses import dataclass

LATENCIES = ("time_to_first_token", "inter_token_latency", "end_to_end")


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds on the load's own clock, which starts with its first scheduled request. None: not measured."""

    number: int
    scheduled: float
    """When the request was to be sent; in a closed loop the same as `started`."""
    started: float
    first_token: float | None = None
    last_token: float | None = None
    ended: float = 0.0
    output_tokens: int | None = None
    prompt_tokens: int | None = None
    """As the server counts them, its chat template's among them."""
    longest_gap: float | None = None
    """Longest silence between two pieces of the answer's text."""
    error: str = ""
    """Why there is no whole answer: `HTTP 429: words of the server`; empty where there is one."""
    retryable: bool = False
    """The service or the network failed, not the request: the same one may succeed later."""
    warm_up: bool = False
    """Left out of the figures."""

    @property
    def timer_error(self) -> float:
        """Seconds by which the load generator sent it too late."""
        return self.started - self.scheduled

    def latency(self, name: str) -> float | None:
        """Seconds of one of LATENCIES; None where it was not measured.

        Counted from the moment at which the request was due: what a late generator adds is not omitted.

        The inter-token latency is the mean time of a token after the first, as NVIDIA's AIPerf and MLPerf define it.
        """
        if name == "end_to_end":
            return self.ended - self.scheduled
        if self.first_token is None:
            return None
        if name == "time_to_first_token":
            return self.first_token - self.scheduled
        if not self.output_tokens or self.output_tokens < 2 or self.last_token is None:
            return None
        return (self.last_token - self.first_token) / (self.output_tokens - 1)

    def tokens_between(self, start: float, end: float) -> float:
        """Output tokens that arrived in that time, spread evenly from the first to the last."""
        if self.error or not self.output_tokens:
            return 0.0
        first = self.ended if self.first_token is None else self.first_token
        last = self.ended if self.last_token is None else self.last_token
        if last <= first:
            return float(self.output_tokens) if start <= first < end else 0.0
        within = max(min(last, end) - max(first, start), 0.0)
        return self.output_tokens * within / (last - first)


@dataclass(frozen=True)
class Run:
    """Samples of a load, and how the generator kept up."""

    samples: tuple[Sample, ...]
    """In the order of their numbers, warm-up included."""
    late: tuple[float, ...]
    """Seconds by which event loops woke late, each 50 ms."""
    cpu_seconds: float
    """Of the generator's processes."""
