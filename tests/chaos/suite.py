"""Runs many cases on several lanes at once, and reports each when it ends."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud import daemon
from tests.chaos.cases import Case, case, case_of
from tests.chaos.outcome import Ended, Outcome, problems

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Order:
    """A case to execute, by seed; `family` replaces the family that the seed draws."""

    seed: int
    family: str = ""

    @property
    def case(self) -> Case:
        return case_of(self.family, self.seed) if self.family else case(self.seed)


@dataclass(frozen=True)
class Told:
    case: Case
    outcome: Outcome

    @property
    def problems(self) -> tuple[str, ...]:
        return problems(self.case, self.outcome)


@dataclass
class Result:
    told: list[Told] = field(default_factory=list)
    at_the_end: list[str] = field(default_factory=list)
    """Faults of all runs of a lane together."""

    @property
    def failed(self) -> list[Told]:
        return [each for each in self.told if each.problems]


def run_all(orders: Sequence[Order], lanes: int, on_told: Callable[[Told], object] = lambda told: None) -> Result:
    """Each lane takes the next case when it has finished one. Leaves no process and no file, however it ends."""
    waiting: queue.SimpleQueue[Order] = queue.SimpleQueue()
    for order in orders:
        waiting.put(order)
    result, lock = Result(), threading.Lock()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        started = [_Lane(Path(folder) / f"lane-{number}") for number in range(min(lanes, len(orders)))]

        def work(lane: _Lane) -> None:
            for told in lane.carry_out(waiting):
                with lock:
                    result.told.append(told)
                    on_told(told)
            result.at_the_end.extend(lane.at_the_end)

        threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in started]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            for lane in started:
                lane.end()
    return result


class _Lane:
    """A process of `lane.py`; its temporary files are in its folder, too."""

    def __init__(self, folder: Path) -> None:
        temporary = folder / "tmp"
        temporary.mkdir(parents=True)
        self._log, self._cloud = folder / "log", folder / "cloud"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.lane", str(self._cloud)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
            cwd=ROOT,
            env={**_inherited(), "TMPDIR": str(temporary)},
        )
        self.at_the_end: list[str] = []

    def carry_out(self, waiting: "queue.SimpleQueue[Order]") -> Iterator[Told]:
        self._answer()
        with suppress(queue.Empty):
            while True:
                order = waiting.get_nowait()
                self._say(json.dumps([order.family, order.seed]))
                answer = self._answer()
                if answer is None:
                    self.at_the_end = [f"a lane ended in {order.case}: {self._log.read_text()[-2000:]}"]
                    return
                yield Told(order.case, _outcome(answer["outcome"]))
        assert self._process.stdin is not None
        self._process.stdin.close()
        last = self._answer()
        self.at_the_end = (
            [f"a lane did not end in order: {self._log.read_text()[-2000:]}"] if last is None else last["end"]
        )

    def end(self) -> None:
        """Closes the lane's input, waits for its process, and stops its local cloud."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with suppress(OSError):
                self._process.stdin.close()
        self._process.terminate()
        self._process.wait()
        daemon.down(self._cloud)

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # A dead lane is noticed by its missing answer.
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _answer(self) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None


def _inherited() -> dict[str, str]:
    """The environment without variables that could send Google's clients past the lane's own local cloud."""
    names = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in names if name in os.environ}


def _outcome(fields: dict[str, Any]) -> Outcome:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    for key in ("faulted", "clean"):
        values[key] = Ended(**{**fields[key], "errors": tuple(fields[key]["errors"])})
    return Outcome(**values)


def orders(count: int, seed: int) -> Iterable[Order]:
    """`count` cases with the seeds from `seed` on: each can be repeated by its own seed."""
    return [Order(seed + number) for number in range(count)]
