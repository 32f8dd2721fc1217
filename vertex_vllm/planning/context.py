"""Context of a plan whose config names none: the model's own where the cache holds it, else the longest useful.

A longer limit costs nothing until a request uses it: vLLM gives a sequence blocks of the cache as it grows. The model's
own length is therefore taken as soon as the cache surely holds one request of it. If it does not, every limit refuses
some requests, and a request of the longest that fits would fill the cache alone, while all others wait in the queue.
Then the limit is the longest length of which the cache surely holds as many requests at once as the config's evaluation
sends.
"""

from dataclasses import dataclass

from vertex_vllm.catalog.rows import Machine
from vertex_vllm.planning.memory.estimate import MemoryEstimate
from vertex_vllm.planning.memory.remedies import in_steps, largest
from vertex_vllm.planning.requirements import Requirements


@dataclass(frozen=True)
class Context:
    """The context on one machine: tokens of prompt and answer together."""

    tokens: int
    requests: int | None
    """Requests of that length that the cache surely holds at once; None: not known."""
    reason: str
    """Empty if the config names the length."""


def context_on(machine: Machine, required: Requirements, longest: int = 0) -> Context:
    """The context on this machine, in tokens.

    Args:
        machine: One that the arguments can be split over.
        required: Its `settings.max_model_len` is the least that the context becomes.
        longest: Context in tokens of another place of the deployment; 0: there is no other place.
    """
    settings = required.settings
    least, own = settings.max_model_len, settings.longest_model_len
    at_least = _requests(required.memory(machine))
    if not own:
        return Context(least, at_least, "")
    told = f"the model takes {own}" if required.facts.context_length else "config.json gives no length"
    if own <= least:
        whole = "all that the model takes" if required.facts.context_length else f"vLLM's own default: {told}"
        return Context(least, at_least, whole)
    tutorials = "as long as Google's tutorial has it"
    more = f"{told}: set serving.max_model_len for more"
    if not settings.chunked:
        slow = "a prompt is computed in one step, and a long one takes memory and makes all other requests wait"
        return Context(least, at_least, f"{tutorials}: {slow}; {more}")
    if not _surely(least, 1, machine, required):
        return Context(least, at_least, f"{tutorials}: whether the cache holds a longer one is not known; {more}")
    tokens, reason = own, "all that the model takes"
    if not _surely(own, 1, machine, required):
        tokens, reason = _with_room(least, own, machine, required)
        reason = f"{reason}; {told}"
    if 0 < longest < tokens:
        tokens, reason = max(least, longest), f"as long as in the deployment's other places; {told}"
    return Context(tokens, _requests(required.with_context(tokens).memory(machine)), reason)


def _with_room(least: int, own: int, machine: Machine, required: Requirements) -> tuple[int, str]:
    """The longest context with room for the requests asked for, `least` where there is none; and the reason."""
    wanted = required.concurrency
    tokens = in_steps(largest(lambda length: _surely(length, wanted, machine, required), own))
    alone = in_steps(largest(lambda length: _surely(length, 1, machine, required), own))
    up_to = f"a request by itself may have up to {alone}: serving.max_model_len"
    if tokens <= least:
        return least, f"the cache has no room for {wanted} longer requests at once; {up_to}"
    return tokens, f"the longest with room for {wanted} requests at once; {up_to}"


def _surely(length: int, requests: int, machine: Machine, required: Requirements) -> bool:
    """Whether the cache holds so many requests of this length at the worst ends, whatever vLLM's other doubts are."""
    estimate = required.with_context(length).memory(machine)
    settled = estimate.conclusive and not set(estimate.reasons) - set(estimate.start.unmodelled)
    return settled and estimate.requests_at_worst >= requests


def _requests(estimate: MemoryEstimate) -> int | None:
    return estimate.requests_at_worst if estimate.conclusive else None
