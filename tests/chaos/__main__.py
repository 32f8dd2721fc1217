"""`python -m tests.chaos`: the chaos suite, as `make chaos` runs it."""

import argparse
import signal
import sys
import time
from collections import Counter

from tests.chaos.outcome import KINDS
from tests.chaos.suite import Order, Result, Told, orders, run_all


class Progress:
    """Prints a line per case on a terminal or in a log, with the number of cases still to come."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._began = time.monotonic()
        self._done = 0
        self._failed = 0

    def __call__(self, told: Told) -> None:
        self._done += 1
        self._failed += bool(told.problems)
        passed = time.monotonic() - self._began
        minutes = passed / self._done * (self._total - self._done) / 60
        ends = f"{told.outcome.kind}, {told.outcome.seconds:.1f} s"
        print(
            f"{self._done}/{self._total}, {self._failed} with problems, {minutes:.0f} min to go | {told.case}: {ends}",
            flush=True,
        )
        for error in told.outcome.faulted.errors[-1:]:
            print(f"    said: {' '.join(error.split())[:300]}", flush=True)
        for problem in told.problems:
            print(f"    PROBLEM: {problem[:1500]}", flush=True)


def summary(result: Result, seconds: float) -> str:
    """A row per family: how its cases ended."""
    rows = Counter((told.case.family, told.outcome.kind) for told in result.told)
    wrong = Counter(told.case.family for told in result.failed)
    families = sorted({family for family, _ in rows})
    columns = ("cases", *KINDS, "problems")
    lines = ["".join([f"{'':24}", *(f"{column:>20}" for column in columns)])]
    for family in [*families, "all"]:
        inside = [family] if family != "all" else families
        counts = [sum(rows[each, kind] for each in inside) for kind in KINDS]
        numbers = (sum(counts), *counts, sum(wrong[each] for each in inside))
        lines.append("".join([f"{family:24}", *(f"{number:>20}" for number in numbers)]))
    cases = max(len(result.told), 1)
    lines.append(f"{len(result.told)} cases in {seconds / 60:.1f} min: {seconds / cases:.1f} s each")
    return "\n".join(lines)


def _stop(number: int, _: object) -> None:
    """Ends the suite through all of its cleanup; a second signal does not interrupt the cleanup."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=500, help="cases, each a faulted and a clean run")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first; the next have the numbers after it")
    parser.add_argument("--lanes", type=int, default=2, help="cases at once, each on a local cloud of its own")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    began = time.monotonic()
    wanted: list[Order] = list(orders(arguments.runs, arguments.seed))
    result = run_all(wanted, arguments.lanes, Progress(len(wanted)))
    print(summary(result, time.monotonic() - began))
    for problem in result.at_the_end:
        print(f"PROBLEM: {problem}")
    for told in result.failed:
        print(f"Again: make chaos RUNS=1 SEED={told.case.seed}   # {told.case.family}")
    complete = len(result.told) == len(wanted)
    return 0 if complete and not result.failed and not result.at_the_end else 1


if __name__ == "__main__":
    sys.exit(main())
