"""Compares the mirror with other ways to copy a model from the Hub to Cloud Storage, between our own servers.

Run: `.venv/bin/python -m benchmarks.mirror`; `--help` tells the rest. Prints a table in Markdown for each network:

- plain HTTP on loopback: processor time per byte
- the same over TLS at both ends
- 50 ms before each answer and a limit to each connection's rate: the effect of concurrency

Source and sink run on the same processors as the client: MB/s depends on all three, processor seconds per GB only on
the client. The sink checks every byte that it receives. Variants take turns; the table shows medians.
"""

import argparse
import datetime
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from benchmarks.mirroring.content import model
from benchmarks.mirroring.content_checks import measure_check
from benchmarks.mirroring.measuring import Measured, measure
from benchmarks.mirroring.server import Network
from benchmarks.mirroring.world import World, world

_ROOT = Path(__file__).resolve().parent.parent
_CEILING_SOURCE = Path(__file__).resolve().parent / "mirroring" / "ceiling.c"
_OURS, _PEERS = "ours", ("snapshot_and_transfer_manager", "hf_and_gcloud")
_CEILING, _SHA256 = "recv and send in C", "SHA-256 alone"
_ALL = (_OURS, _CEILING, _SHA256, *_PEERS)
_FLOOR_SHARE = 1.25
_DELAY, _RATE = 0.05, 10e6
# MiB of each file: as in Llama 3.1 8B; less on the slow network, where peers need minutes for a GB.
_FAST_SIZE, _SLOW_SIZE = 3800, 1024


@dataclass(frozen=True)
class Row:
    """Medians over all repetitions of a variant."""

    name: str
    megabytes_per_second: float
    cpu_per_gigabyte: float
    peak_rss: float
    """MB."""
    disk: float
    """MB."""


class Benchmark:
    """One model, with a folder for the variants' files and a compiled program."""

    def __init__(self, files: int, size: int, repetitions: int, scratch: Path) -> None:
        self.files, self.size, self.repetitions, self._scratch = files, size, repetitions, scratch
        self._ceiling = _compile(scratch)
        self._skipped: dict[str, str] = {}
        if self._ceiling is None:
            self._skipped[_CEILING] = "no C compiler on this machine"
        if shutil.which("gcloud") is None:
            self._skipped["hf_and_gcloud"] = "no gcloud on this machine"
        self._skipped["snapshot_download with hf_xet"] = "it needs a Xet content store, which the source does not play"

    @property
    def gigabytes(self) -> float:
        return self.files * self.size / 1e9

    def run(self, title: str, network: Network, variants: Sequence[str]) -> list[Row]:
        """Prints the table of one network."""
        measured: dict[str, list[Measured]] = {}
        with world(self.files, self.size, network) as servers:
            for repetition in range(self.repetitions):
                for name in variants:
                    if name not in self._skipped:
                        print(f"{title}: {name}, {repetition + 1} of {self.repetitions}", file=sys.stderr, flush=True)
                        measured.setdefault(name, []).append(self._once(name, servers))
        rows = [self._row(name, results) for name, results in measured.items()]
        print(
            _table(title, rows, {name: why for name, why in self._skipped.items() if name in variants or "xet" in name})
        )
        return rows

    def second_run(self) -> int:
        """Bytes that the mirror sends if everything is already in the bucket."""
        with world(self.files, self.size, Network()) as servers:
            first = self._measure([[*_variant(_OURS)]], servers)
            _check(_OURS, first, servers, self.files, forget=False)
            again = self._measure([[*_variant(_OURS)]], servers)
            received = servers.report(forget=True)["received"]
        if again.failed:
            raise SystemExit(again.output)
        assert isinstance(received, int)
        return received

    def _once(self, name: str, servers: World) -> Measured:
        if name == _SHA256:
            half = str(self.files * self.size // 2)
            return self._measure([_variant("sha256", half), _variant("sha256", half)], servers)
        result = self._measure(self._commands(name, servers), servers)
        _check(name, result, servers, self.files, forget=True)
        return result

    def _commands(self, name: str, servers: World) -> list[list[str]]:
        if name != _CEILING:
            return [_variant(name)]
        paths = [file.path for file in model(self.files, self.size)]
        ports = [str(urlsplit(url).port) for url in (servers.content_network, servers.storage)]
        return [[str(self._ceiling), *ports, str(self.size), *paths[half::2]] for half in range(2) if paths[half::2]]

    def _measure(self, commands: list[list[str]], servers: World) -> Measured:
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            return measure(commands, {**os.environ, **servers.environment, **_settings(servers, folder)}, Path(folder))

    def _row(self, name: str, results: list[Measured]) -> Row:
        return Row(
            name,
            median(self.gigabytes * 1000 / one.seconds for one in results),
            median(one.cpu_seconds / self.gigabytes for one in results),
            median(one.peak_rss_bytes / 1e6 for one in results),
            median(one.disk_bytes / 1e6 for one in results),
        )


def _variant(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.mirroring.variants", name, *arguments]


def _settings(servers: World, folder: str) -> dict[str, str]:
    """Environment for the command lines: no files outside the folder, no hosts except our servers."""
    return {
        "PYTHONPATH": str(_ROOT),
        "HF_HOME": f"{folder}/hf",
        "CLOUDSDK_CONFIG": f"{folder}/gcloud",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{servers.storage}/storage/v1/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CORE_PROJECT": "benchmark",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        **({"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(servers.certificate)} if servers.certificate else {}),
    }


def _check(name: str, result: Measured, servers: World, files: int, *, forget: bool) -> None:
    report = servers.report(forget=forget)
    if result.failed or report["faults"] or report["whole_files"] != files:
        raise SystemExit(f"{name} did not bring what it should: {report}\n{result.output}")


def _compile(scratch: Path) -> Path | None:
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return None
    binary = scratch / "ceiling"
    subprocess.run([compiler, "-O2", "-o", str(binary), str(_CEILING_SOURCE)], check=True)
    return binary


def _certificate(scratch: Path) -> Path:
    """A file with a self-signed certificate for 127.0.0.1 and localhost, and its key."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = scratch / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return file


def _table(title: str, rows: Sequence[Row], skipped: Mapping[str, str]) -> str:
    lines = [
        f"### {title}",
        "",
        "| variant | MB/s | client CPU s/GB | peak RSS MB | disk MB |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        figures = f"{row.megabytes_per_second:.0f} | {row.cpu_per_gigabyte:.2f} | {row.peak_rss:.0f} | {row.disk:.0f}"
        lines.append(f"| {row.name} | {figures} |")
    lines += [f"| {name} | | | | not run: {why} |" for name, why in skipped.items()]
    return "\n".join([*lines, ""])


def _ratios(rows: Sequence[Row]) -> Iterator[str]:
    by_name = {row.name: row for row in rows}
    mine = by_name[_OURS]
    if _CEILING in by_name and _SHA256 in by_name:
        floor = by_name[_CEILING].cpu_per_gigabyte + by_name[_SHA256].cpu_per_gigabyte
        share = mine.cpu_per_gigabyte / floor
        yield f"CPU: {share:.2f} × (ceiling + SHA-256), which is {floor:.2f} s/GB; wanted: at most {_FLOOR_SHARE}."
    peers = [by_name[name] for name in _PEERS if name in by_name]
    if peers:
        fastest = max(row.megabytes_per_second for row in peers)
        cheapest = min(row.cpu_per_gigabyte for row in peers)
        yield (
            f"Best peer: {mine.megabytes_per_second / fastest:.1f} × as fast, "
            f"{cheapest / mine.cpu_per_gigabyte:.1f} × less CPU; wanted: 3 and 4."
        )
    for gigabits in (10, 32):
        needed = gigabits / 8 * mine.cpu_per_gigabyte
        yield f"Extrapolated, not measured: {gigabits} Gbps need {needed:.1f} processors like these, without TLS."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=4)
    told = f"of each file (1 MB = 1 MiB here); {_FAST_SIZE}, on the slow network {_SLOW_SIZE}"
    parser.add_argument("--megabytes", type=int, help=told)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=["plain", "tls", "slow"], default=["plain", "tls", "slow"])
    told = f"beside ours, which all are compared with: {', '.join(_ALL[1:])}"
    parser.add_argument("--variants", nargs="*", choices=_ALL, default=_ALL, metavar="VARIANT", help=told)
    given = parser.parse_args()
    chosen = [name for name in _ALL if name == _OURS or name in given.variants]
    bringing = [name for name in chosen if name in (_OURS, *_PEERS)]
    # Exit by an exception, so that servers, variants and files are cleaned up.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="mirror-benchmark-") as folder:
        scratch = Path(folder)
        fast = Benchmark(given.files, (given.megabytes or _FAST_SIZE) << 20, given.repetitions, scratch)
        slow = Benchmark(given.files, (given.megabytes or _SLOW_SIZE) << 20, given.repetitions, scratch)
        print(
            f"{os.cpu_count()} processors; {fast.gigabytes:.1f} GB in {given.files} files; {given.repetitions} times\n"
        )
        if "plain" in given.networks:
            rows = fast.run("Plain HTTP", Network(), chosen)
            print("\n".join(f"- {line}" for line in _ratios(rows)))
            print(f"- Second run: {fast.second_run()} bytes sent.")
            print(f"- Looking into the files: {measure_check(model(1, fast.size)[0])}.\n")
        if "tls" in given.networks:
            fast.run("TLS at both ends", Network(certificate=_certificate(scratch)), bringing)
        if "slow" in given.networks:
            title = f"50 ms before each answer, {_RATE / 1e6:.0f} MB/s for each connection, {slow.gigabytes:.1f} GB"
            rows = slow.run(title, Network(_DELAY, _RATE), bringing)
            (mine,) = [row for row in rows if row.name == _OURS]
            # One process per file, with at most eight reads each.
            most = _RATE / 1e6 * 8 * min(given.files, os.cpu_count() or 1)
            print(f"- {mine.megabytes_per_second / most:.0%} of limit × connections ({most:.0f} MB/s); wanted: 90 %.\n")


if __name__ == "__main__":
    main()
