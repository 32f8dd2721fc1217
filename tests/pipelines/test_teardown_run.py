"""The exit handler's decision, apart from any pipeline."""

import pytest
from kfp import dsl

from components.teardown_run import teardown_run


@pytest.mark.parametrize("state", ["SUCCEEDED", "COMPLETE"])
def test_an_endpoint_that_is_to_stay_stays_whatever_the_engine_calls_success(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    # Whoever asked Google anything would fail: there is nobody at this address.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:9")
    status = dsl.PipelineTaskFinalStatus(state, "projects/p/locations/r/pipelineJobs/j", "exit-handler-1", 0, "")
    teardown_run.python_func("project", "us-central1", [], "deployment", "run", True, status)
