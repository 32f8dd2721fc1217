"""A steady load: requests of one size, so that figures of different models and days can be compared."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

from vertex_vllm.evaluation.asking import Prompt, Reply, ask, ask_all
from vertex_vllm.inference.inference_client import EndpointClient

MAX_TOKENS = 64
REQUESTS_PER_WORKER = 3
_TOPICS = ("a bridge", "rain", "a library", "bread", "the moon", "a bicycle", "a forest", "an island")


@dataclass(frozen=True)
class Load:
    """What came of it."""

    concurrency: int
    replies: tuple[Reply, ...]
    seconds: float
    """From the first request's start to the last answer's end."""

    @property
    def output_tokens_per_second(self) -> float | None:
        """Of all requests together: the throughput. None where tokens were not counted."""
        return self._per_second([reply.output_tokens for reply in self.replies])

    @property
    def input_tokens_per_second(self) -> float | None:
        """Of all requests together. None where tokens were not counted."""
        return self._per_second([reply.input_tokens for reply in self.replies])

    def _per_second(self, tokens: Sequence[int | None]) -> float | None:
        counted = [count for count in tokens if count is not None]
        return sum(counted) / self.seconds if counted and self.seconds > 0 else None


def warm_up(client: EndpointClient, chat: bool) -> None:
    """One request that nobody measures: a server compiles and fills caches at its first."""
    ask(client, _prompt(len(_TOPICS), chat), MAX_TOKENS)


def put_load(client: EndpointClient, chat: bool, concurrency: int, max_tokens: int = MAX_TOKENS) -> Load:
    """Keeps `concurrency` requests under way, REQUESTS_PER_WORKER for each."""
    prompts = [_prompt(number, chat) for number in range(max(concurrency, 1) * REQUESTS_PER_WORKER)]
    start = time.monotonic()
    replies = ask_all(client, prompts, max_tokens, concurrency)
    return Load(max(concurrency, 1), replies, time.monotonic() - start)


def _prompt(number: int, chat: bool) -> Prompt:
    # The number comes first: equal beginnings would be answered from vLLM's prefix cache.
    text = f"{number + 1}. Describe {_TOPICS[number % len(_TOPICS)]} in a few sentences."
    return ({"role": "user", "content": text},) if chat else text


def percentile(values: Sequence[float], percent: int) -> float:
    """Linear between the two nearest ranks, as numpy does by default. Raises ValueError without values."""
    if len(values) == 1:
        return values[0]
    if not values:
        raise ValueError("no values")
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def load_metrics(load: Load) -> dict[str, float]:
    """Name → figure. A figure that could not be measured is absent, never zero."""
    figures = {"load_concurrency": float(load.concurrency), "load_requests": float(len(load.replies))}
    done = [reply for reply in load.replies if not reply.error]
    first_tokens = [reply.first_token_seconds for reply in done if reply.first_token_seconds is not None]
    speeds = [reply.tokens_per_second for reply in done if reply.tokens_per_second is not None]
    figures |= _percentiles("latency", "_seconds", [reply.seconds for reply in done])
    figures |= _percentiles("time_to_first_token", "_seconds", first_tokens)
    figures |= _percentiles("tokens_per_second", "", speeds)
    if load.output_tokens_per_second is not None:
        figures["load_output_tokens_per_second"] = load.output_tokens_per_second
    if load.input_tokens_per_second is not None:
        figures["load_input_tokens_per_second"] = load.input_tokens_per_second
    return figures


def load_document(load: Load) -> dict[str, Any]:
    """The section `load` of the evaluation's result."""
    return asdict(load)


def _percentiles(name: str, unit: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}_p{percent}{unit}": percentile(values, percent) for percent in (50, 95) if values}
