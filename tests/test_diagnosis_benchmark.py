"""The diagnosis of a large or hostile log keeps within its memory."""

import re
import subprocess
import sys

import pytest

from benchmarks.diagnosis import LOGS

MOST_MEGABYTES = 300


@pytest.mark.slow
def test_each_log_is_diagnosed_within_its_memory() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.diagnosis", "--megabytes", "50"], check=True, capture_output=True, text=True
    ).stdout
    peaks = [int(found) for found in re.findall(r"of a processor +(\d+) MB", told)]
    assert len(peaks) == len(LOGS)
    assert max(peaks) < MOST_MEGABYTES, told
