"""Seconds and memory of a diagnosis of logs that are large or hostile.

    python -m benchmarks.diagnosis [--megabytes 200]

Each log is diagnosed in a process of its own; the memory is that process's peak.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

SAMPLES = Path(__file__).resolve().parents[1] / "tests" / "vertex_vllm" / "diagnosis" / "samples"


def serving(size: int) -> Iterator[bytes]:
    """A server that serves for days and then runs out of memory."""
    line = (
        b"(APIServer pid=1) INFO 10-14 15:09:%02d [loggers.py:127] Engine 000: Avg prompt throughput: %d.0 tokens/s, "
        b"Avg generation throughput: 512.4 tokens/s, Running: 7 reqs, Waiting: 0 reqs, GPU KV cache usage: 12.%d%%\n"
    )
    yield (SAMPLES / "wild_healthy_011.log").read_bytes()
    written = 0
    numbers = random.Random(1)
    while written < size:
        part = b"".join(line % (n % 60, numbers.randrange(9999), n % 10) for n in range(5000))
        written += len(part)
        yield part
    yield (SAMPLES / "request_oom_011.log").read_bytes().split(b"startup complete.\n")[1]


def crashing(size: int) -> Iterator[bytes]:
    """Only tracebacks: a container that is restarted again and again."""
    start = (SAMPLES / "no_blocks_085.log").read_bytes() * 200
    for _ in range(size // len(start) + 1):
        yield start


def errors(size: int) -> Iterator[bytes]:
    """The shortest lines that the diagnosis examines."""
    part = b"Error\nKilled\nERROR x\n" * 50_000
    for _ in range(size // len(part) + 1):
        yield part


def entries(size: int) -> Iterator[bytes]:
    """An export of Cloud Logging: one JSON object per line, some with a whole traceback in their text."""
    lines = (SAMPLES / "no_blocks_085.log").read_text().split("\n")
    texts = [*lines, "\n".join(lines)] * 200
    part = b"".join(
        json.dumps({"insertId": "1", "severity": "ERROR", "textPayload": text}).encode() + b"\n" for text in texts
    )
    for _ in range(size // len(part) + 1):
        yield part


def one_line(size: int) -> Iterator[bytes]:
    """A log without a line break."""
    for _ in range(size // (1 << 20)):
        yield b"CUDA out of memory " * 55_188


def bombs(size: int) -> Iterator[bytes]:
    """Lines that make backtracking expressions slow, and escape sequences that never end."""
    part = b"".join(
        (
            b"ValueError: " + b"a" * 3000 + b"!\n",
            b"\x1b[" + b"0;" * 1500 + b"\n",
            b"(" * 2000 + b"Error: " + b")" * 2000 + b"\n",
            b"ERROR 10-14 15:03:20 [" + b"x/" * 1000 + b":1] " + b"max seq len (" * 200 + b"\n",
            b"error: argument " + b"--a/" * 900 + b"\n",
            b'{"textPayload": "' + b"\\\\" * 20_000 + b"\n",
            b'{"textPayload": "' + b'"message": "' * 2000 + b"\n",
        )
    )
    for _ in range(size // len(part) + 1):
        yield part


LOGS: dict[str, Callable[[int], Iterator[bytes]]] = {
    "serving, then out of memory": serving,
    "crash loop": crashing,
    "shortest errors": errors,
    "entries of Cloud Logging": entries,
    "one line": one_line,
    "expression bombs": bombs,
}


def measure(path: Path) -> None:
    from vertex_vllm.diagnosis.sources import diagnose_stream

    begun, processor = time.monotonic(), time.process_time()
    with path.open("rb") as stream:
        found = diagnose_stream(stream)
    processor = time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = f"{time.monotonic() - begun:6.1f} s {processor:6.1f} s of a processor {peak:6.0f} MB"
    print(f"{took}  {found.outcome}: {found.summary[:70]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.file:
        return measure(given.file)
    for name, log in LOGS.items():
        with TemporaryDirectory() as folder:
            path = Path(folder) / "log"
            with path.open("wb") as out:
                for part in log(given.megabytes * 1_000_000):
                    out.write(part)
            print(f"{name:30} {path.stat().st_size / 1e6:5.0f} MB ", end="", flush=True)
            subprocess.run([sys.executable, "-m", "benchmarks.diagnosis", "--file", str(path)], check=True)
    return None


if __name__ == "__main__":
    main()
