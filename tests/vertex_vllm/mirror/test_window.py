"""The parts of one file, read and sent by several threads and hashed by one."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import PATIENCE_SECONDS, take_time
from vertex_vllm.mirror.concurrency import AdaptiveLimit
from vertex_vllm.mirror.multipart import MOST_PARTS
from vertex_vllm.mirror.transfer_options import PART_BYTES, Transfer
from vertex_vllm.mirror.window import Flow, Part, Window, parts_of

PAGE = 4096


@pytest.mark.parametrize("size", [PART_BYTES + 1, 5 * 10**9, 200 * 2**30, 5 * 2**40])
def test_no_file_has_more_parts_than_cloud_storage_takes(size: int) -> None:
    length = Transfer().part_length(size)
    parts = parts_of(min(size, 100 * length), length)
    assert length >= PART_BYTES
    assert size <= length * MOST_PARTS
    assert parts[0] == Part(1, 0, length)


@given(st.integers(1, 2000), st.integers(1, 300))
def test_parts_follow_each_other_to_the_end(size: int, length: int) -> None:
    parts = parts_of(size, length)
    assert [part.start for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert parts[-1].end == size
    assert {part.length for part in parts[:-1]} <= {length}
    assert 0 < parts[-1].length <= length


@pytest.mark.parametrize(("size", "parts"), [(40 << 20, 9), (5 << 30, 9), (200 << 30, 9), (500 << 30, 3), (3 << 40, 2)])
def test_memory_does_not_grow_with_the_file(size: int, parts: int) -> None:
    transfer = Transfer()
    flow = Flow(Unlimited(), transfer.buffer_bytes)
    taken = iter(partial(flow.take, transfer.part_length(size)), None)
    assert sum(1 for _ in taken) == parts


def test_more_connections_have_the_memory_to_be_used() -> None:
    transfer = Transfer(connections=32)
    flow = Flow(Unlimited(), transfer.buffer_bytes)
    assert sum(1 for _ in iter(partial(flow.take, transfer.part_length(5 << 30)), None)) == 33


class Unlimited(AdaptiveLimit):
    """A limit that never stops a read."""

    def __init__(self) -> None:
        super().__init__(1000, PAGE)

    @property
    def value(self) -> int:
        return 1000


def window(parts: tuple[Part, ...], buffers: int, limit: int) -> Window:
    return Window(parts, Flow(AdaptiveLimit(limit, PAGE), buffers * PAGE))


def nothing(*_: object) -> None:
    """Does nothing with a part's bytes."""


def read_at_once(part: Part, view: memoryview, has_read: Callable[[], None]) -> None:
    has_read()


def test_bytes_come_in_order_however_they_arrive() -> None:
    parts = parts_of(40 * PAGE - 7, PAGE)
    taken, sent = bytearray(), set[int]()

    def carry(part: Part, view: memoryview, has_read: Callable[[], None]) -> None:
        take_time(0.001 * (part.number % 3))
        view[:] = bytes([part.number]) * len(view)
        has_read()
        take_time(0.001 * (part.number % 2))
        assert bytes(view) == bytes([part.number]) * part.length  # whatever has been taken in meanwhile
        sent.add(part.number)

    with ThreadPoolExecutor(8) as threads:
        got = []
        for part in window(parts, 5, 4).run(threads, 4, carry, taken.extend):
            assert (part.end, True) == (len(taken), part.number in sent)
            got.append(part)
    assert got == list(parts)
    assert taken == b"".join(bytes([part.number]) * part.length for part in parts)


def test_what_is_read_is_taken_in_while_it_is_still_on_its_way() -> None:
    taken, arrived = threading.Event(), threading.Event()

    def carry(part: Part, view: memoryview, has_read: Callable[[], None]) -> None:
        has_read()
        assert taken.wait(PATIENCE_SECONDS)
        arrived.set()

    with ThreadPoolExecutor(2) as threads:
        for _ in window(parts_of(PAGE, PAGE), 1, 1).run(threads, 1, carry, lambda view: taken.set()):
            assert arrived.is_set()


def test_no_more_parts_are_in_memory_than_there_are_buffers() -> None:
    parts = parts_of(30 * PAGE, PAGE)
    in_memory, most = set[int](), 0
    lock = threading.Lock()

    def carry(part: Part, view: memoryview, has_read: Callable[[], None]) -> None:
        nonlocal most
        with lock:
            in_memory.add(part.number)
            most = max(most, len(in_memory))
        if part.number == 1:  # All others wait for the first.
            take_time(0.1)
        has_read()

    with ThreadPoolExecutor(16) as threads:
        for part in window(parts, 6, 8).run(threads, 8, carry, nothing):
            with lock:
                in_memory.discard(part.number)
    assert most == 2  # One part that is being read, and one that waits to be hashed.


@pytest.mark.parametrize("where", ["read", "sent", "taken in", "over"])
def test_a_failure_ends_the_pass_with_its_cause(where: str) -> None:
    parts = parts_of(30 * PAGE, PAGE)
    begun: list[int] = []
    bytes_taken = 0

    def fail(here: str, number: int) -> None:
        if here == where and number == 7:
            raise ConnectionError(where)

    def carry(part: Part, view: memoryview, has_read: Callable[[], None]) -> None:
        begun.append(part.number)
        fail("read", part.number)
        has_read()
        fail("sent", part.number)

    def take_in(view: memoryview) -> None:
        nonlocal bytes_taken
        bytes_taken += len(view)
        fail("taken in", bytes_taken // PAGE)

    def take_in_all(threads: ThreadPoolExecutor) -> None:
        for part in window(parts, 4, 3).run(threads, 3, carry, take_in):
            fail("over", part.number)

    with ThreadPoolExecutor(6) as threads, pytest.raises(ConnectionError, match=where):
        take_in_all(threads)
    assert max(begun) <= 7 + 4


def test_a_pass_without_parts_is_over_at_once() -> None:
    with ThreadPoolExecutor(4) as threads:
        assert list(window((), 2, 2).run(threads, 2, nothing, nothing)) == []


def test_the_next_file_begins_as_the_last_of_this_one_arrives() -> None:
    """Both files share the memory."""
    flow = Flow(AdaptiveLimit(4, PAGE), 5 * PAGE)
    begun = threading.Event()
    stays = threading.Event()
    most, in_memory = 0, set[tuple[str, int]]()
    lock = threading.Lock()

    def copy(name: str, threads: ThreadPoolExecutor) -> list[int]:
        def carry(part: Part, view: memoryview, has_read: Callable[[], None]) -> None:
            nonlocal most
            with lock:
                in_memory.add((name, part.number))
                most = max(most, len(in_memory))
            has_read()
            if (name, part.number) == ("first", 20):
                assert stays.wait(PATIENCE_SECONDS)

        numbers = []
        for part in Window(parts_of(20 * PAGE, PAGE), flow).run(threads, 2, carry, nothing, begun.set):
            with lock:
                in_memory.discard((name, part.number))
            numbers.append(part.number)
        return numbers

    with ThreadPoolExecutor(10) as threads:
        first = threads.submit(copy, "first", threads)
        assert begun.wait(PATIENCE_SECONDS)
        assert copy("second", threads) == list(range(1, 21))  # while the first one's last part is being sent
        stays.set()
        assert first.result() == list(range(1, 21))
    assert most <= 5


@pytest.mark.parametrize("when", ["reading", "sending"])
def test_what_a_failed_pass_held_is_free_again(when: str) -> None:
    flow = Flow(AdaptiveLimit(4, PAGE), 5 * PAGE)

    def fail(part: Part, view: memoryview, has_read: Callable[[], None]) -> None:
        if when == "sending":
            has_read()
        raise ConnectionError

    for _ in range(20):
        with ThreadPoolExecutor(8) as threads, pytest.raises(ConnectionError):
            list(Window(parts_of(20 * PAGE, PAGE), flow).run(threads, 4, fail, nothing))
    with ThreadPoolExecutor(8) as threads:
        again = Window(parts_of(9 * PAGE, PAGE), flow)
        taken = [part.number for part in again.run(threads, 4, read_at_once, nothing)]
    assert taken == list(range(1, 10))
