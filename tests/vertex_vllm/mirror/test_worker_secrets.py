"""The worker is given the token through its input, and shows it to nobody."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.vertex_vllm.mirror.conftest import SMALL_STEPS

ROOT = Path(__file__).resolve().parents[3]
# Of no shape by which a token would be known.
TOKEN = "canary-token-that-looks-like-none"


def test_a_worker_that_breaks_down_shows_no_token(cloud: Any) -> None:
    job = {
        "model_id": "org/model",
        "commit": "a" * 40,
        "token": TOKEN,
        "destination": "gs://some-bucket/prefix",
        "project": "some-project",
        "transfer": asdict(SMALL_STEPS),
    }
    lines = f"{json.dumps(job)}\n{json.dumps({TOKEN: 1})}\n"
    worker = subprocess.Popen(
        [sys.executable, "-m", "vertex_vllm.mirror.worker"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert worker.stderr is not None
    with worker:
        worker.stdin.write(lines)
        worker.stdin.flush()
        said = worker.stderr.read()
        assert worker.wait(timeout=30) == 1
        told = worker.stdout.read()
    assert "TypeError" in said
    assert "[redacted]" in said
    assert TOKEN not in said + told
