"""Compares our load generator with others, against the same server in one run.

Run: `.venv/bin/python -m benchmarks.load --aiperf /path/to/bin/aiperf --guidellm /path/to/bin/guidellm`. Peers that
are not named are left out. Prints a table in Markdown: for 1, 64, 512 and 2,000 streams at once

- rate: requests per second that arrived at the server, beside the requested rate
- timer error: delay of a request's arrival against a grid of equal gaps, 99th percentile, measured at the
  server, with the same arithmetic for everybody; the most punctual request counts as in time
- CPU: processor milliseconds per request of the generator's processes, from the first arrival to the last

The server answers the first token at once and paces the others, so that as many streams are open as the table says.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from benchmarks.loading import peers
from benchmarks.loading.peers import Load
from vertex_vllm.percentiles import percentile

_ROOT = Path(__file__).resolve().parent.parent
_TOKENS = 20
# Streams → seconds that an answer takes. The longer the answers, the lower the rate that keeps so many open.
_ANSWER_SECONDS = {1: 1.0, 64: 2.0, 512: 5.0, 2000: 10.0}
_WARM_UP = 0.1
"""Share of the first requests that is left out, during which processes start and connect."""
_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Row:
    variant: str
    streams: int
    asked: float
    arrived: float
    """Requests per second."""
    timer_error: float
    """Seconds, 99th percentile."""
    cpu_milliseconds: float
    most_streams: int
    count: int
    note: str = ""


@contextmanager
def stub(seconds_between_tokens: float) -> Iterator[str]:
    """The server's URL."""
    command = [sys.executable, "-m", "benchmarks.loading.stub_server", "0", str(seconds_between_tokens)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()


class Cpu:
    """Measures processor seconds of a process and its children, four times a second, until stopped."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._seen: dict[int, float] = {}
        self.samples: list[tuple[float, float]] = []
        """Moments by `time.monotonic`, and seconds so far."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def between(self, start: float, end: float) -> float:
        """Processor seconds at a time, interpolated linearly."""
        return self._at(end) - self._at(start)

    def _at(self, moment: float) -> float:
        before = [sample for sample in self.samples if sample[0] <= moment] or self.samples[:1]
        after = [sample for sample in self.samples if sample[0] > moment] or self.samples[-1:]
        (left, low), (right, high) = before[-1], after[0]
        return low + (high - low) * (moment - left) / (right - left) if right > left else low

    def _watch(self) -> None:
        while not self._over.wait(_POLL_SECONDS):
            try:
                family = [self._root, *self._root.children(recursive=True)]
            except psutil.Error:
                return
            for process in family:
                try:
                    times = process.cpu_times()
                except psutil.Error:
                    continue
                self._seen[process.pid] = times.user + times.system
            self.samples.append((time.monotonic(), sum(self._seen.values())))


def measure(variant: str, command: Sequence[str], load: Load, environment: Mapping[str, str]) -> Row:
    requests.get(f"{load.url}/arrivals", timeout=10)
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        cpu = Cpu(process.pid)
        try:
            code = process.wait(timeout=_PATIENCE_SECONDS)
            late_end = ""
        except subprocess.TimeoutExpired:
            code, late_end = 1, f"did not end within {_PATIENCE_SECONDS} s"
        finally:
            _end(process)
            cpu.stop()
        output.seek(0)
        said = late_end or output.read()
    seen = requests.get(f"{load.url}/arrivals", timeout=10).json()
    arrivals = sorted(seen["arrivals"])[-round(load.count * (1 - _WARM_UP)) :]
    if code or len(arrivals) < 2:
        return Row(variant, load.streams, load.rate, 0.0, 0.0, 0.0, 0, len(arrivals), note=said[-500:])
    late = [moment - number / load.rate for number, moment in enumerate(arrivals)]
    return Row(
        variant,
        load.streams,
        load.rate,
        (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]),
        percentile([each - min(late) for each in late], 99),
        1000 * cpu.between(arrivals[0], arrivals[-1]) / len(arrivals),
        seen["most_streams"],
        len(arrivals),
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends a client and the processes that it started."""
    family = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    for each in (process, *family):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


def table(rows: Sequence[Row]) -> str:
    lines = [
        "| streams | generator | requests/s asked | arrived | timer error p99 ms | CPU ms/request | × ours | open |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row.note:
            lines.append(f"| {row.streams:,} | {row.variant} | {row.asked:g} | {_shown(row.note)} | – | – | – | – |")
            continue
        ours = next(each for each in rows if each.streams == row.streams)
        ratio = row.cpu_milliseconds / ours.cpu_milliseconds if ours.cpu_milliseconds else float("nan")
        lines.append(
            f"| {row.streams:,} | {row.variant} | {row.asked:g} | {row.arrived:.1f} | {1000 * row.timer_error:.1f} "
            f"| {row.cpu_milliseconds:.2f} | {ratio:.1f} | {row.most_streams:,} |"
        )
    return "\n".join(lines)


def _shown(note: str) -> str:
    return note if note.startswith("did not end") else "failed"


def commands(load: Load, options: argparse.Namespace, folder: Path) -> dict[str, list[str]]:
    """Name of a variant → its command, ours first."""
    numbers = [str(load.rate), str(load.count), str(load.answer_tokens)]
    own = [sys.executable, "-m", "benchmarks.loading.own_client", load.url, *numbers, str(load.streams)]
    found = {"ours (aiohttp)": own}
    found["httpx"] = [sys.executable, "-m", "benchmarks.loading.httpx_client", load.url, *numbers]
    if options.aiperf:
        found[peers.version(options.aiperf)] = peers.aiperf(options.aiperf, load, folder)
    if options.guidellm:
        found[peers.version(options.guidellm)] = peers.guidellm(options.guidellm, load, folder)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Our load generator beside others.")
    parser.add_argument("--aiperf", default="", help="program of an environment with AIPerf")
    parser.add_argument("--guidellm", default="", help="program of an environment with GuideLLM")
    parser.add_argument("--streams", default="1,64,512,2000", help="streams at once, separated by commas")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each load")
    options = parser.parse_args()
    tokenizer = peers.find_tokenizer()
    if tokenizer is None and (options.aiperf or options.guidellm):
        raise SystemExit("Peers need the demo model's tokenizer: run `make demo` first.")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        cache = peers.hub_cache(tokenizer, Path(scratch) / "cache") if tokenizer else {}
        environment = {**_environment(), **cache}
        for streams in map(int, options.streams.split(",")):
            seconds = _ANSWER_SECONDS[streams]
            with stub(seconds / (_TOKENS - 1)) as url:
                rate = streams / seconds
                load = Load(url, rate, round(rate * options.seconds), _TOKENS, streams)
                for variant, command in commands(load, options, Path(scratch)).items():
                    print(f"{streams} streams: {variant}", file=sys.stderr, flush=True)
                    rows.append(measure(variant, command, load, environment))
                    print(json.dumps(rows[-1].__dict__), file=sys.stderr, flush=True)
    print(table(rows))


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


if __name__ == "__main__":
    main()
