"""The memory of a mirror of 20 GB, between a source and a sink that store nothing."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.mirroring.measuring import measure
from benchmarks.mirroring.server import Network
from benchmarks.mirroring.world import world

ROOT = Path(__file__).resolve().parents[3]
FILES, SIZE = 4, 5 << 30
BOUND = 300_000_000


@pytest.mark.slow
def test_twenty_gigabytes_take_no_more_memory_than_is_stated(tmp_path: Path) -> None:
    folder = tmp_path / "nothing"
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.mirroring.variants", "ours"]
    with world(FILES, SIZE, Network()) as servers:
        # Not this process's own environment, whose variables lead to the local cloud.
        plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        measured = measure([command], {**plain, **servers.environment, "PYTHONPATH": str(ROOT)}, folder)
        report = servers.report(forget=True)
    assert measured.output == ""
    assert report["faults"] == []
    assert report["whole_files"] == FILES
    assert FILES * SIZE <= int(str(report["received"])) < FILES * SIZE + 1_000_000
    assert 100_000_000 < measured.largest_rss_bytes < BOUND
    assert measured.disk_bytes < 100_000
