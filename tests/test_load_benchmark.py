"""The benchmark of load generators as a program, briefly and without the peers: its figures are not tested."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]


def test_a_table_with_a_row_for_each_generator() -> None:
    command = [sys.executable, "-m", "benchmarks.load", "--streams", "1,64", "--seconds", "3"]
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "PYTHONPATH") if name in os.environ}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in ended.stdout.splitlines()]
    assert [(row[0], row[1]) for row in rows[2:]] == [
        ("1", "ours (aiohttp)"),
        ("1", "httpx"),
        ("64", "ours (aiohttp)"),
        ("64", "httpx"),
    ]
    assert all(float(row[5]) > 0 for row in rows[2:])
