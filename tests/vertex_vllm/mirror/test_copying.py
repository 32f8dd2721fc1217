"""Checksums, parts and progress: what a copy is made of."""

import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from vertex_vllm.hub.listing import HubFile
from vertex_vllm.mirror import Progress, log_progress
from vertex_vllm.mirror.checksums import Checksums, crc32c
from vertex_vllm.mirror.copying import PART_BYTES, in_order, part_bytes
from vertex_vllm.mirror.multipart import MOST_PARTS
from vertex_vllm.mirror.progress import Meter

DATA = b"some weights\n" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


def git_oid(data: bytes, folder: Path) -> str:
    (folder / "blob").write_bytes(data)
    done = subprocess.run(["git", "hash-object", "blob"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def fed(file: HubFile, data: bytes) -> Checksums:
    checksums = Checksums(file)
    checksums.update(data[:100])
    checksums.update(data[100:])
    return checksums


def test_a_file_in_git_is_checked_against_what_git_calls_it(tmp_path: Path) -> None:
    oid = git_oid(DATA, tmp_path)
    assert fed(HubFile("config.json", len(DATA), "", oid), DATA).mismatch() == ""
    assert oid in fed(HubFile("config.json", len(DATA), "", oid), b"x" + DATA[1:]).mismatch()


def test_an_lfs_file_is_checked_against_its_sha256() -> None:
    file = HubFile("model.safetensors", len(DATA), SHA256, "b" * 40)
    assert fed(file, DATA).mismatch() == ""
    assert SHA256 in fed(file, DATA[:-1] + b"x").mismatch()


def test_a_short_file_is_a_mismatch() -> None:
    file = HubFile("model.safetensors", len(DATA), SHA256, "b" * 40)
    assert fed(file, DATA[:-1]).mismatch() == "12999 bytes arrived, 13000 are listed"


def test_crc32c_as_cloud_storage_writes_it() -> None:
    # RFC 3720, B.4: 32 bytes of zeroes have the CRC32C 8A9136AA.
    assert crc32c(bytes(32)) == "ipE2qg=="
    assert fed(HubFile("x", 200, SHA256, "b" * 40), bytes(200)).crc32c == crc32c(bytes(200))


@pytest.mark.parametrize("size", [PART_BYTES + 1, 5 * 10**9, 200 * 2**30, 5 * 2**40])
def test_no_file_has_more_parts_than_cloud_storage_takes(size: int) -> None:
    assert part_bytes(size) >= PART_BYTES
    assert size <= part_bytes(size) * MOST_PARTS


def test_results_come_in_order_and_few_are_begun_ahead() -> None:
    begun: list[int] = []
    slow = threading.Event()

    def task(number: int) -> int:
        begun.append(number)
        if number == 0:
            slow.wait(10)
        return number

    with ThreadPoolExecutor(4) as pool:
        results = in_order(pool, (partial(task, number) for number in range(6)), 2)
        threading.Timer(0.05, slow.set).start()
        assert next(results) == 0
        assert sorted(begun) == [0, 1]
        assert list(results) == [1, 2, 3, 4, 5]


def moments() -> Iterator[float]:
    yield from [0.0, 1.0, 2.0, 6.0, 7.0]


def test_a_log_gets_a_line_every_few_seconds_and_the_last() -> None:
    lines: list[str] = []
    clock = moments()
    log = log_progress(lines.append, seconds=5.0, clock=lambda: next(clock))
    for copied in (10, 20, 30, 40):
        log(Progress("org/model", 2, copied // 20, 40, 0, copied, 4.0))
    told = [json.loads(line) for line in lines]
    assert [row["bytes_copied"] for row in told] == [10, 30, 40]
    assert told[-1] == {
        "event": "mirror",
        "model_id": "org/model",
        "files_total": 2,
        "files_done": 2,
        "bytes_total": 40,
        "bytes_present": 0,
        "bytes_copied": 40,
        "seconds": 4.0,
        "megabytes_per_second": 0.0,
    }


def test_progress_counts_what_is_there_and_what_is_sent() -> None:
    seen: list[Progress] = []
    meter = Meter("org/model", [5, 7], seen.append)
    meter.present(5)
    meter.copied(3)
    meter.copied(4)
    meter.done()
    counted = [(one.files_done, one.bytes_present, one.bytes_copied, one.finished) for one in seen]
    assert counted == [(1, 5, 0, False), (1, 5, 3, False), (1, 5, 7, False), (2, 5, 7, True)]
    assert {(one.files_total, one.bytes_total) for one in seen} == {(2, 12)}
