"""Records the answers of real services while a command runs, without the recording user's ids, addresses and tokens:

    python -m benchmarks.recordings.record --output FILE.jsonl [--name NAME] [--hide TEXT=NAME] -- COMMAND…

The command's Google and Hugging Face clients are led through the local cloud's proxy, which passes everything on. A
recording has the form that `benchmarks/recordings/recorded_form.py` describes. A scan looks for what must not be in it;
a recording with a find is not written.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from benchmarks.recordings.recorder import Journal, RecordingApp, RecordingHandler
from benchmarks.recordings.scrubbing import Scrubber
from localcloud.core.ports import Ports, choose_ports
from localcloud.front.ca import CertificateAuthority
from localcloud.front.proxy import Proxy
from localcloud.server import HttpServers

_GRPC_THREADS = 16
# Variables that bypass a local cloud's proxy, or lead gRPC elsewhere.
_DIRECT = ("STORAGE_EMULATOR_HOST", "API_ENDPOINT_OVERRIDE", "HF_ENDPOINT", "KF_PIPELINES_ENDPOINT")
_LEAKED = 3
# Field of an upload with a checksum.
_DECLARED = re.compile(r'"(?:crc32c|md5Hash)": ?"[^"]*",\s*|,\s*"(?:crc32c|md5Hash)": ?"[^"]*"')


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the command's exit code; 3 if the scan finds ids or secrets in the recording."""
    options = _options(argv)
    with tempfile.TemporaryDirectory(prefix="recorder-") as folder:
        recorder = Recorder(Path(folder))
        recorder.start()
        try:
            ended = subprocess.run(options.command, env=recorder.environment(os.environ), check=False)
        finally:
            recorder.stop()
    hidden = _literals(options, os.environ, recorder.journal)
    written, leaks = recording(recorder.journal, options.name, hidden)
    if leaks:
        print(f"not written: the recording holds {'; '.join(sorted(set(leaks)))}", file=sys.stderr)
        return _LEAKED
    options.output.write_text(written, encoding="utf-8")
    print(
        f"{options.output}: {len(recorder.journal.exchanges)} exchanges; left out by host: {recorder.journal.left_out}"
    )
    return ended.returncode


class Recorder:
    """The proxy and the recording servers behind it, in a thread with an event loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal()
        self._folder = folder
        self._ports: Ports = choose_ports(folder / "ports.json")
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="recorder")

    def start(self) -> None:
        """Returns when the proxy listens. Raises the error that prevented it, for example OSError for a used port."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self.stop()
            raise self._failure

    def stop(self) -> None:
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """`inherited` and the variables that lead a command's clients through the recorder."""
        proxy, bundle = f"http://127.0.0.1:{self._ports.proxy}", str(self._folder / "bundle.pem")
        return {
            **{name: value for name, value in inherited.items() if name not in _DIRECT},
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "grpc_proxy"), proxy),
            **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), bundle),
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": bundle,
            "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": bundle,
            "GOOGLE_API_USE_CLIENT_CERTIFICATE": "false",
        }

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # `start` raises the error; without it, `start` would wait for ever.
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        roots = os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
        handler = RecordingHandler(self.journal, Path(roots).read_bytes() if roots else None)
        server = grpc.server(ThreadPoolExecutor(_GRPC_THREADS), handlers=[handler])
        server.add_insecure_port(f"127.0.0.1:{self._ports.grpc}")
        server.start()
        http = HttpServers(lambda: datetime.now(UTC))
        await http.start(RecordingApp(self.journal), self._ports.api)
        authority = CertificateAuthority(self._folder)
        proxy = Proxy(authority, api_port=self._ports.api, grpc_port=self._ports.grpc, passes_others=True)
        await proxy.start(self._ports.proxy)
        self._ready.set()
        await self._stop.wait()
        await proxy.stop()
        await http.stop()
        await asyncio.to_thread(server.stop(1).wait)


def recording(journal: Journal, name: str, literals: Mapping[str, str]) -> tuple[str, list[str]]:
    """The recording as one line of text, and the scan's finds in it."""
    scrubber = Scrubber({**dict.fromkeys(journal.tokens, "xxx"), **literals})
    sequence: dict[str, Any] = {
        "fixture": name,
        "service": "several",
        "tier": "real",
        "evidence": "recorded by this project's recorder, on the services that its environment led to",
        "source": {"date": datetime.now(UTC).date().isoformat()},
        "left_out": journal.left_out,
        "exchanges": [cleaned(exchange, scrubber) for exchange in journal.exchanges],
    }
    text = json.dumps(scrubber.clean(sequence), ensure_ascii=False) + "\n"
    return text, list(scrubber.leaks(text))


def cleaned(exchange: Mapping[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    """A scrubbed copy of `exchange`. An upload with changed bytes loses their checksums, also in its answer."""
    clean: dict[str, Any] = scrubber.clean(dict(exchange))
    body = clean["request_body"]
    if "/upload/" not in exchange["url"] or body == exchange["request_body"]:
        return clean
    if isinstance(body, str):
        clean["request_body"] = _DECLARED.sub("", body)
    headers = {name: value for name, value in clean.get("request_headers", {}).items() if name != "x-goog-hash"}
    return {**clean, "request_headers": headers, "ignore": ["crc32c", "md5Hash", "size"]}


def _literals(options: argparse.Namespace, environment: Mapping[str, str], journal: Journal) -> dict[str, str]:
    """Replacements of the project's id and number, and those of `--hide`."""
    found = dict(pair.split("=", 1) for pair in options.hide)
    projects = {environment.get(name, "") for name in ("VERTEX_VLLM_TEST_PROJECT", "GOOGLE_CLOUD_PROJECT")} - {""}
    for project in projects:
        found.setdefault(project, "${projectId}")
        for number in _numbers_of(project, journal.exchanges):
            found.setdefault(number, "${projectNumber}")
    return found


def _numbers_of(project: str, exchanges: Sequence[Mapping[str, Any]]) -> set[str]:
    """The project's number, from Resource Manager's answers or from answers that replace an id by a number."""
    numbers = set()
    for exchange in exchanges:
        asked, answered = json.dumps([exchange["url"], exchange["request_body"]]), json.dumps(exchange["response_body"])
        if f"projects/{project}" in asked:
            numbers |= set(re.findall(r"\bprojects/(\d{6,})\b", answered))
        if project in asked or project in answered:
            numbers |= set(re.findall(r'"projectNumber": "?(\d{6,})', answered))
    return numbers


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recordings.record", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--output", type=Path, required=True, help="the recording, overwritten")
    parser.add_argument("--name", default="recorded", help="the recording's name in it")
    parser.add_argument("--hide", action="append", default=[], metavar="TEXT=NAME", help="writes NAME for TEXT")
    parser.add_argument("command", nargs="+", help="after --")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
