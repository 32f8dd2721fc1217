"""Limits up to which a start fits, and changes with which a start that does not fit would."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from vertex_vllm.model.transformer import Transformer
from vertex_vllm.planning.memory.estimate import MemoryEstimate, estimate_memory
from vertex_vllm.planning.memory.start import Start

# vLLM's own limit is higher; beyond this number no present card computes faster.
MOST_SEQUENCES = 4096
GPUS_OF_MACHINES = (1, 2, 4, 8)
# Contexts and sequences are proposed in these steps: an exact number of tokens would be false precision.
CONTEXT_STEP = 256


@dataclass(frozen=True)
class Remedy:
    change: str
    """A line of the config, or the machine to rent instead."""
    estimate: MemoryEstimate
    """The start with the change, which fits."""


def longest_context(model: Transformer, start: Start) -> int:
    """Largest `max_model_len` that fits, up to the model's own; 0: none does."""
    most = model.context_length or start.max_model_len
    return largest(lambda length: _fits(model, replace(start, max_model_len=length)), most)


def in_steps(length: int) -> int:
    """`length` down to a whole number of steps of 256 tokens, as it is proposed; a shorter one as it is."""
    return length // CONTEXT_STEP * CONTEXT_STEP or length


def largest_sequences(model: Transformer, start: Start) -> int:
    """Largest `max_num_seqs` that fits, up to 4096; 0: none does."""
    return largest(lambda count: _fits(model, replace(start, max_num_seqs=count)), MOST_SEQUENCES)


def remedies(model: Transformer, start: Start) -> tuple[Remedy, ...]:
    """Changes that would make the model fit, cheapest first; empty where it fits, or nothing known helps."""
    if _fits(model, start):
        return ()
    return tuple(
        Remedy(change, estimate)
        for change, changed in _changes(model, start)
        if (estimate := estimate_memory(model, changed)).verdict == "fits"
    )


def _changes(model: Transformer, start: Start) -> Iterator[tuple[str, Start]]:
    sequences = min(largest_sequences(model, start), start.max_num_seqs)
    if sequences:
        yield f"serving.max_num_seqs: {sequences}", replace(start, max_num_seqs=sequences)
    if length := in_steps(min(longest_context(model, start), start.max_model_len)):
        yield f"serving.max_model_len: {length}", replace(start, max_model_len=length)
    if start.cache_element_bytes > 1:
        yield "serving.extra_args: [--kv-cache-dtype=fp8]", replace(start, kv_cache_dtype="fp8")
    if not start.enforce_eager:
        yield "serving.extra_args: [--enforce-eager]", replace(start, enforce_eager=True)
    for gpus in GPUS_OF_MACHINES:
        split = gpus // start.pipeline_stages
        if gpus > start.gpus and split > start.tensor_parallel:
            more = replace(start, gpus=gpus, tensor_parallel=split)
            if _fits(model, more):
                yield f"a machine with {gpus} such GPUs", more
                return


def _fits(model: Transformer, start: Start) -> bool:
    return estimate_memory(model, start).verdict == "fits"


def largest(fits: Callable[[int], bool], most: int) -> int:
    """Largest number up to `most` that fits, 0 if none does. Bisection: a smaller number than one that fits, fits."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if fits(middle) else (least, middle - 1)
    return least
