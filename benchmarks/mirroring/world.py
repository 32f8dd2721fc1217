"""Source and sink as two processes, `python -m benchmarks.mirroring.world source|sink …`: print an address, serve."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.mirroring import content
from benchmarks.mirroring.server import Answer, Network, Request, as_json, serve
from benchmarks.mirroring.sink import Sink
from benchmarks.mirroring.source import content_network, hub


@dataclass(frozen=True)
class World:
    """Both servers and the settings of a client."""

    hub: str
    content_network: str
    storage: str
    _sink: IO[str]
    _answers: IO[str]
    certificate: Path | None

    @property
    def environment(self) -> dict[str, str]:
        trust = {"SSL_CERT_FILE": str(self.certificate), "REQUESTS_CA_BUNDLE": str(self.certificate)}
        return {
            "HF_ENDPOINT": self.hub,
            "STORAGE_EMULATOR_HOST": self.storage,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "GOOGLE_CLOUD_PROJECT": "benchmark",
            "NO_PROXY": "*",
            **(trust if self.certificate else {}),
        }

    def report(self, *, forget: bool) -> dict[str, object]:
        """Counts of the sink since the last report; `forget`: empties the sink."""
        self._sink.write(f"{json.dumps(forget)}\n")
        self._sink.flush()
        told: dict[str, object] = json.loads(self._answers.readline())
        return told


@contextmanager
def world(files: int, size: int, network: Network) -> Iterator[World]:
    """Both servers for a model of `files` files of `size` bytes; they end with the context, or with this process."""
    arguments = [str(files), str(size), str(network.delay_seconds), str(network.bytes_per_second)]
    arguments += [str(network.certificate or "")]
    with _server("source", arguments) as source, _server("sink", arguments) as sink:
        assert source.stdout is not None
        assert sink.stdin is not None
        assert sink.stdout is not None
        hub_url, cdn_url = json.loads(source.stdout.readline())
        (storage_url,) = json.loads(sink.stdout.readline())
        yield World(hub_url, cdn_url, storage_url, sink.stdin, sink.stdout, network.certificate)


@contextmanager
def _server(name: str, arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.mirroring.world", name, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=["source", "sink"])
    parser.add_argument("files", type=int)
    parser.add_argument("size", type=int)
    parser.add_argument("delay", type=float)
    parser.add_argument("rate", type=float)
    parser.add_argument("certificate")
    given = parser.parse_args()
    network = Network(given.delay, given.rate, Path(given.certificate) if given.certificate else None)
    files = content.model(given.files, given.size)
    scheme = "https" if network.certificate else "http"
    if given.name == "source":
        cdn = f"{scheme}://localhost:{serve(content_network(files), network)}"
        _say([f"{scheme}://127.0.0.1:{serve(hub(files, cdn), network)}", cdn])
        sys.stdin.read()
    else:
        sink = Sink(files)
        sink.origin = f"{scheme}://127.0.0.1:{serve(sink, network)}"
        _say([sink.origin])
        for line in sys.stdin:
            _say(sink.report())
            if json.loads(line):
                sink.forget()
    os._exit(0)


def _say(document: object) -> None:
    print(json.dumps(document), flush=True)


__all__ = ["Answer", "Network", "Request", "World", "as_json", "world"]

if __name__ == "__main__":
    main()
