"""The parts of a file in transfer: read and sent by several threads, hashed by one in their order.

Memory is bounded. It is reserved together with the next part's number, so the part that all later parts of a file wait
for always has its memory.
"""

import mmap
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from vertex_vllm.mirror.concurrency import AdaptiveLimit


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


class Flow:
    """Resources that the files of one process share: memory for parts, and the number of simultaneous reads.

    Callers of the methods hold `lock`. A thread that holds the limit's lock may take `lock`, not the other way round.
    Only a thread that can continue is woken: waking all of them would cost more than their work.
    """

    def __init__(self, limit: AdaptiveLimit, most_bytes: int) -> None:
        self._limit, self._most_bytes = limit, most_bytes
        self.lock = threading.Lock()
        self.room = threading.Condition(self.lock)
        """Threads that want to begin another part wait for it."""
        self._reading = self._parts = self._bytes = 0
        self._free: list[mmap.mmap] = []
        limit.on_growth = self._grown

    def take(self, length: int) -> mmap.mmap | None:
        """Reserves memory for a part of `length` bytes, counted as being read from now on; None while there is no
        room."""
        limit = self._limit.value
        # Parts are sent as they are read, and one more waits for its answer: further ones would only take memory.
        if self._reading >= limit or self._parts > limit:
            return None
        # At least two parts, however large.
        if self._bytes + length > max(self._most_bytes, 2 * length):
            return None
        self._reading += 1
        self._parts += 1
        self._bytes += length
        while self._free:
            if len(buffer := self._free.pop()) == length:
                return buffer
            buffer.close()
        return _memory(length)

    def _grown(self) -> None:
        with self.lock:
            self.room.notify_all()

    def has_read(self) -> None:
        self._reading -= 1
        self.room.notify()

    def give_back(self, buffer: mmap.mmap) -> None:
        """Returns memory, which is used again for other parts and files."""
        self._parts -= 1
        self._bytes -= len(buffer)
        self._free.append(buffer)
        self.room.notify()


def _memory(length: int) -> mmap.mmap:
    """Memory of this process alone, in large pages where the system has them: half as many faults and misses."""
    buffer = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):
            buffer.madvise(mmap.MADV_HUGEPAGE)
    return buffer


Carry = Callable[[Part, memoryview, Callable[[], None]], None]
"""Fills the memory with the part's bytes, calls back when it is full, and returns when they are in the bucket."""
TakeIn = Callable[[memoryview], None]
"""Is shown the bytes of all parts, in order."""


def ignore_begun() -> None:
    """Does nothing, for callers without a next file."""


class Window:
    """Transfers `parts` once, in order."""

    def __init__(self, parts: Sequence[Part], flow: Flow) -> None:
        self._parts, self._flow = parts, flow
        self._length = max((part.length for part in parts), default=0)
        self._begun = 0
        self._held: dict[int, mmap.mmap] = {}
        """Part number → its memory, from its beginning until it has been sent and hashed."""
        self._read: set[int] = set()
        self._sent: set[int] = set()
        self._next_is_there = threading.Condition(flow.lock)
        self._failure: BaseException | None = None

    def run(
        self,
        threads: Executor,
        connections: int,
        carry: Carry,
        take_in: TakeIn,
        on_begun: Callable[[], None] = ignore_begun,
    ) -> Iterator[Part]:
        """Yields each part, in order, once it has been hashed and sent.

        Takes `connections` and one of `threads`, for as many parts as may be under way. `on_begun` is called as soon as
        the last part has begun: the next file may begin then. Raises the first error of `carry`, once the
        other threads have finished their parts.
        """
        if not self._parts:
            on_begun()
        carriers = [threads.submit(self._carry_parts, carry, on_begun) for _ in range(connections + 1)]
        try:
            for part in self._parts:
                with memoryview(self._wait_for(part, self._read))[: part.length] as view:
                    take_in(view)
                self._wait_for(part, self._sent)
                yield part
                with self._flow.lock:
                    self._flow.give_back(self._held.pop(part.number))
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            wait(carriers)
            with self._flow.lock:
                for buffer in self._held.values():
                    self._flow.give_back(buffer)

    def _carry_parts(self, carry: Carry, on_begun: Callable[[], None]) -> None:
        while (begun := self._begin()) is not None:
            part, buffer = begun
            if part is self._parts[-1]:
                on_begun()
            try:
                with memoryview(buffer)[: part.length] as view:
                    carry(part, view, partial(self._has_read, part))
            except BaseException as error:
                with self._flow.lock:
                    if part.number not in self._read:
                        self._flow.has_read()
                return self._fail(error)
            self._tell(self._sent, part)
        return None

    def _begin(self) -> tuple[Part, mmap.mmap] | None:
        """The next part and memory for it; None when all parts have begun."""
        with self._flow.lock:
            while True:
                if self._failure is not None or self._begun == len(self._parts):
                    return None
                buffer = self._flow.take(self._length)
                if buffer is not None:
                    break
                self._flow.room.wait()
            part = self._parts[self._begun]
            self._begun += 1
            self._held[part.number] = buffer
            if self._begun == len(self._parts):
                self._flow.room.notify_all()
            return part, buffer

    def _has_read(self, part: Part) -> None:
        with self._flow.lock:
            self._flow.has_read()
        self._tell(self._read, part)

    def _tell(self, done: set[int], part: Part) -> None:
        with self._flow.lock:
            done.add(part.number)
            self._next_is_there.notify()

    def _wait_for(self, part: Part, done: set[int]) -> mmap.mmap:
        with self._flow.lock:
            self._next_is_there.wait_for(lambda: self._failure is not None or part.number in done)
            if self._failure is not None:
                raise self._failure
            return self._held[part.number]

    def _fail(self, error: BaseException) -> None:
        """The first failure is the cause; its consequences are not reported."""
        with self._flow.lock:
            self._failure = self._failure or error
            for waiting in (self._flow.room, self._next_is_there):
                waiting.notify_all()
