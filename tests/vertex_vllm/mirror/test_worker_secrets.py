"""A worker gets the token through its input, and never prints it."""

import json
from contextlib import closing
from typing import Any

import pytest

from tests.vertex_vllm.mirror.conftest import SMALL_STEPS
from vertex_vllm.mirror.worker_job import Job
from vertex_vllm.mirror.worker_processes import Workers

# Text without the shape of a token.
TOKEN = "canary-token-that-looks-like-none"


def test_a_worker_that_breaks_down_shows_no_token(cloud: Any, capfd: pytest.CaptureFixture[str]) -> None:
    job = Job("org/model", "a" * 40, TOKEN, "gs://some-bucket/prefix", "some-project", SMALL_STEPS)
    with closing(Workers(1)) as workers:
        (worker,) = workers.all
        worker.say(job.to_json())
        worker.say(json.dumps({TOKEN: 1}))
        told = "".join(worker.lines())
        assert worker.exit_code() == 1
    said = capfd.readouterr().err
    assert "TypeError" in said
    assert "[redacted]" in said
    assert TOKEN not in said + told
