"""Signals as a state that a step asks for."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.waiting import PATIENCE_SECONDS
from vertex_vllm.vertex_ai.interruption import StillCallingError, interruption


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_and_every_later_one(number: signal.Signals) -> None:
    with interruption() as asked:
        assert not asked.wait(0)
        timer = threading.Timer(0.05, os.kill, (os.getpid(), number))
        timer.start()
        assert asked.wait(PATIENCE_SECONDS)
        assert asked.signal_name == number.name
        assert asked.wait(PATIENCE_SECONDS)
        timer.join()


def test_the_first_signal_is_the_one_that_is_told() -> None:
    with interruption() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.wait(0)
        assert asked.signal_name == "SIGINT"


def test_control_c_a_second_time_does_not_wait() -> None:
    with interruption() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.wait(0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_handlers_from_before_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with suppress(RuntimeError), interruption():
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] != before
        raise RuntimeError
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_outside_the_main_thread_no_handler_is_touched() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def ask() -> tuple[bool, bool]:
        with interruption() as asked:
            return asked.wait(0), signal.getsignal(signal.SIGTERM) == before

    with ThreadPoolExecutor() as pool:
        assert pool.submit(ask).result() == (False, True)


def test_no_file_stays_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with interruption():
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_call_is_waited_for_until_its_answer_or_error_comes() -> None:
    def refuse() -> None:
        raise ValueError("no")

    with interruption() as asked:
        assert asked.bounded(lambda: 7, 60) == 7
        with pytest.raises(ValueError, match="no"):
            asked.bounded(refuse, 60)
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.bounded(lambda: 8, 60) == 8


def test_a_call_that_hangs_is_given_up_once_a_signal_came() -> None:
    answered = threading.Event()
    with interruption() as asked:
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
        timer.start()
        with pytest.raises(StillCallingError, match="no answer 0 s after SIGTERM"):
            asked.bounded(lambda: answered.wait(PATIENCE_SECONDS), 0.05)
        timer.join()
    answered.set()
