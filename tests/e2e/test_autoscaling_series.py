"""The metrics that an endpoint is scaled by are in the real container's answer to the scraper."""

import urllib.request

import pytest

from tests.demo_project import Served
from tests.localcloud.services.vertex.echo_deployments import containers_of, environment_of
from vertex_vllm.planning.autoscaling import scaling_metric

# As Vertex AI names the series of vLLM that it scrapes (google-cloud-aiplatform 1.165.1; "View AutoMetrics").
SCRAPED = "prometheus.googleapis.com/vertex_vllm_"


@pytest.mark.vllm
@pytest.mark.parity("local cloud only")  # the container's own port, which Vertex AI alone reaches
def test_vllm_answers_with_the_series_that_the_request_names(served_text: Served) -> None:
    port = {environment_of(process)["AIP_HTTP_PORT"] for process in containers_of(served_text.endpoint)}.pop()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        series = {line.partition("{")[0] for line in answer.read().decode().splitlines() if not line.startswith("#")}
    metric = scaling_metric("0.32.0", [], 1, 2)
    assert metric is not None
    assert f"vllm:{metric.name.removeprefix(SCRAPED)}" in series
