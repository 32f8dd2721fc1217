"""The parts of one file that are under way: read by several threads, sent by several, taken in by one in their order.

Memory is a fixed number of buffers. A buffer is given out together with the next part's number, so the part that all
others wait for always has one, and the window cannot fill up with what comes after it.
"""

import mmap
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, wait
from contextlib import suppress
from dataclasses import dataclass

from vertex_vllm.mirror.concurrency import AdaptiveLimit

# Seconds after which somebody who may not begin looks at the limit again.
_LIMIT_SECONDS = 0.25


@dataclass(frozen=True)
class Part:
    """Bytes of a file that are sent at once."""

    number: int
    """From 1 on, as Cloud Storage counts."""
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


def parts_of(size: int, length: int) -> tuple[Part, ...]:
    """The parts of a file of `size` bytes, each of `length` but the last."""
    starts = range(0, size, length)
    return tuple(Part(number, start, min(length, size - start)) for number, start in enumerate(starts, start=1))


class Buffers:
    """Memory for parts, made when it is first needed and used again from file to file."""

    def __init__(self) -> None:
        self._free: list[mmap.mmap] = []

    def take(self, length: int) -> mmap.mmap:
        while self._free:
            if len(buffer := self._free.pop()) == length:
                return buffer
            buffer.close()
        return _memory(length)

    def give_back(self, buffer: mmap.mmap) -> None:
        self._free.append(buffer)


def _memory(length: int) -> mmap.mmap:
    """Memory of this process alone, in large pages where the system has them: half as many faults and misses."""
    buffer = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):
            buffer.madvise(mmap.MADV_HUGEPAGE)
    return buffer


Fetch = Callable[[Part, memoryview], int]
"""Fills the memory with the part's bytes; returns their CRC32C."""
Send = Callable[[Part, memoryview, int], None]
"""Brings the part with that CRC32C into the bucket, unless it is there."""


class Window:
    """One pass over `parts`."""

    def __init__(self, parts: Sequence[Part], buffers: Buffers, most_buffers: int, limit: AdaptiveLimit) -> None:
        self._parts = parts
        self._buffers, self._most_buffers, self._limit = buffers, most_buffers, limit
        self._length = max((part.length for part in parts), default=0)
        self._changed = threading.Condition()
        self._begun = self._fetching = self._in_memory = 0
        self._to_send: deque[tuple[Part, mmap.mmap, int]] = deque()
        self._sent: dict[int, mmap.mmap] = {}
        self._failure: BaseException | None = None
        self._left = len(parts)

    def run(self, threads: Executor, connections: int, fetch: Fetch, send: Send) -> Iterator[tuple[Part, memoryview]]:
        """Yields each part and its bytes, in order, once it has been sent; they are good until the next is asked for.

        Takes 2 × `connections` of `threads`. Raises what `fetch` or `send` raised first, once the others have ended
        what they were at.
        """
        workers = [threads.submit(self._fetch_parts, fetch) for _ in range(connections)]
        workers += [threads.submit(self._send_parts, send) for _ in range(connections)]
        try:
            for part in self._parts:
                buffer = self._wait_until_sent(part)
                with memoryview(buffer)[: part.length] as view:
                    yield part, view
                self._free(buffer)
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            wait(workers)

    def _fetch_parts(self, fetch: Fetch) -> None:
        while (begun := self._begin()) is not None:
            part, buffer = begun
            try:
                with memoryview(buffer)[: part.length] as view:
                    crc32c = fetch(part, view)
            except BaseException as error:
                return self._fail(error)
            with self._changed:
                self._fetching -= 1
                self._to_send.append((part, buffer, crc32c))
                self._changed.notify_all()
        return None

    def _begin(self) -> tuple[Part, mmap.mmap] | None:
        """The next part and a buffer for it; None when there is none to be begun any more."""
        with self._changed:
            while not (self._over or self._begun == len(self._parts) or self._may_begin):
                # The limit grows without a word.
                self._changed.wait(_LIMIT_SECONDS)
            if self._over or self._begun == len(self._parts):
                return None
            part = self._parts[self._begun]
            self._begun += 1
            self._fetching += 1
            self._in_memory += 1
            return part, self._buffers.take(self._length)

    @property
    def _may_begin(self) -> bool:
        # As many are sent as are read, and one is taken in: more would only lie in memory, and out of the caches.
        limit = self._limit.value
        return self._fetching < limit and self._in_memory < min(self._most_buffers, 2 * limit + 1)

    @property
    def _over(self) -> bool:
        return self._failure is not None or not self._left

    def _send_parts(self, send: Send) -> None:
        while (arrived := self._next_to_send()) is not None:
            part, buffer, crc32c = arrived
            try:
                with memoryview(buffer)[: part.length] as view:
                    send(part, view, crc32c)
            except BaseException as error:
                return self._fail(error)
            with self._changed:
                self._sent[part.number] = buffer
                self._changed.notify_all()
        return None

    def _next_to_send(self) -> tuple[Part, mmap.mmap, int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._to_send)
            return None if self._over else self._to_send.popleft()

    def _wait_until_sent(self, part: Part) -> mmap.mmap:
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or part.number in self._sent)
            if self._failure is not None:
                raise self._failure
            return self._sent.pop(part.number)

    def _free(self, buffer: mmap.mmap) -> None:
        with self._changed:
            self._buffers.give_back(buffer)
            self._in_memory -= 1
            self._left -= 1
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        """The first failure is the cause; what follows from it is not told."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()
