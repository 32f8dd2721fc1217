"""Sending requests when they are due, in one event loop: at given times, or as earlier ones end."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from vertex_vllm.load.due_requests import Due
from vertex_vllm.load.samples import Sample

PROBE_SECONDS = 0.05
UNFINISHED = "Not finished when the load ended"
NOT_SENT = "Not sent: too many requests were under way"

Ask = Callable[[Due, float, float | None], Awaitable[Sample]]
"""A request, the load's start, and when the request was scheduled, None: now."""


@dataclass(frozen=True)
class Limits:
    """Limits that end a load early."""

    seconds: float
    """Seconds from the start after which no request is sent."""
    drain_seconds: float
    """Seconds to wait for answers after the last request was sent; then they are cancelled."""
    under_way: int
    """Requests at once; one more that is due is not sent, and counts as failed."""


async def open_loop(dues: Sequence[Due], ask: Ask, start: float, limits: Limits) -> list[Sample]:
    """Sends every request when it is due, whether or not earlier ones were answered. `start`: by the loop's clock."""
    loop = asyncio.get_running_loop()
    tasks: dict[asyncio.Task[Sample], tuple[Due, float]] = {}
    running = 0
    refused: list[Sample] = []

    def ended(_: asyncio.Task[Sample]) -> None:
        nonlocal running
        running -= 1

    try:
        for due in dues:
            if due.seconds > limits.seconds:
                break
            delay = start + due.seconds - loop.time()
            # Also without a delay, so that answers are read in between.
            await asyncio.sleep(max(delay, 0.0))
            if running >= limits.under_way:
                refused.append(_failed(due, loop.time() - start, loop.time() - start, NOT_SENT))
                continue
            task = asyncio.ensure_future(ask(due, start, due.seconds))
            task.add_done_callback(ended)
            running += 1
            tasks[task] = due, start + due.seconds
        return [*refused, *await _drained(tasks, start, limits.drain_seconds)]
    finally:
        await _cancel(tasks)


async def closed_loop(dues: Sequence[Due], ask: Ask, start: float, limits: Limits, concurrency: int) -> list[Sample]:
    """Keeps `concurrency` requests under way, in the order of `dues`."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(start - loop.time(), 0.0))
    waiting = deque(dues)
    samples: list[Sample] = []
    under_way: dict[Due, float] = {}

    async def one_after_another() -> None:
        while waiting and loop.time() - start < limits.seconds:
            due = waiting.popleft()
            under_way[due] = loop.time()
            samples.append(await ask(due, start, None))
            del under_way[due]

    users = {asyncio.ensure_future(one_after_another()): None for _ in range(min(concurrency, len(dues)))}
    try:
        if users:
            done, _ = await asyncio.wait(users, timeout=limits.seconds + limits.drain_seconds)
            for user in done:
                user.result()
        now = loop.time()
        return samples + [_failed(due, began - start, now - start, UNFINISHED) for due, began in under_way.items()]
    finally:
        await _cancel(users)


async def lateness(seconds_late: list[float]) -> None:
    """Measures until it is cancelled how late the event loop wakes: every request's times are that uncertain."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + PROBE_SECONDS
        await asyncio.sleep(PROBE_SECONDS)
        seconds_late.append(loop.time() - due)


async def _drained(tasks: dict[asyncio.Task[Sample], tuple[Due, float]], start: float, seconds: float) -> list[Sample]:
    if not tasks:
        return []
    done, late = await asyncio.wait(tasks, timeout=seconds)
    now = asyncio.get_running_loop().time()
    failed = [_failed(tasks[task][0], tasks[task][1] - start, now - start, UNFINISHED) for task in late]
    return [*(task.result() for task in done), *failed]


def _failed(due: Due, began: float, ended: float, error: str) -> Sample:
    scheduled = due.seconds or began
    return Sample(due.number, scheduled, max(began, scheduled), ended=ended, error=error, warm_up=due.warm_up)


async def _cancel(tasks: dict[asyncio.Task[Sample], tuple[Due, float]] | dict[asyncio.Task[None], None]) -> None:
    late = [task for task in tasks if not task.done()]
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)
