"""A region decides which host gets our access token: any text that is not a region is refused, whatever its source."""

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.cli import vertex_vllm
from vertex_vllm.config import parse_deployment
from vertex_vllm.errors import ConfigError, InputError, TeardownError
from vertex_vllm.google.regional_hosts import dedicated_host, docker_registry, kfp_registry, vertex_ai_host
from vertex_vllm.inference.endpoint_connection import EndpointConnection
from vertex_vllm.lifecycle.lock import HOLD, Holder, held_by_a_run
from vertex_vllm.lifecycle.teardown import teardown
from vertex_vllm.runs.run_listing import list_runs
from vertex_vllm.runs.schedule_calls import pause
from vertex_vllm.runs.vertex_engine import VertexEngine, find_run, pipeline_client
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client
from vertex_vllm.vertex_ai.resource_names import ResourceName

ROOT = Path(__file__).resolve().parents[3]
PLANTED = (
    *("evil.example#", "evil.example?", "evil.example/", "evil.example:443#", "localhost:8443#", "user@evil.example#"),
    *("us-central1.evil.example#", "us-central1\n", "us-central1 ", "US-CENTRAL1", "us-central1%23", "évil-central1"),
    *("us-central१", "", "global", "us", "..", "us-central1-aiplatform.googleapis.com#"),
)
HOSTS: tuple[Callable[[str], Any], ...] = (
    *(vertex_ai_host, docker_registry, kfp_registry, pipeline_client, endpoint_client, model_client),
    lambda region: list_runs("p", region),
)
NAMES: tuple[Callable[[str], Any], ...] = (
    lambda region: EndpointConnection(f"projects/p/locations/{region}/endpoints/1"),
    lambda region: find_run(f"projects/p/locations/{region}/pipelineJobs/x"),
    lambda region: VertexEngine().watch(f"projects/p/locations/{region}/pipelineJobs/x", lambda run: None),
    lambda region: VertexEngine().cancel(f"projects/p/locations/{region}/pipelineJobs/x"),
    lambda region: pause(f"projects/p/locations/{region}/schedules/1"),
    lambda region: ResourceName.parse(f"projects/p/locations/{region}/models/1", "models"),
)


@pytest.mark.parametrize("region", PLANTED)
@pytest.mark.parametrize("host_of", HOSTS + NAMES)
def test_no_client_is_made_for_what_is_not_a_region(host_of: Callable[[str], Any], region: str) -> None:
    with pytest.raises(InputError):
        host_of(region)


@pytest.mark.parametrize("region", PLANTED)
def test_a_teardown_says_that_it_did_not_look_there(region: str) -> None:
    with pytest.raises(TeardownError, match="is not a Google Cloud region"):
        teardown("p", region, "d")


@given(st.text() | st.from_regex(r"[a-z]{1,4}-[a-z]{1,4}[0-9]{1,2}.?"))
def test_a_host_is_googles_or_there_is_none(region: str) -> None:
    try:
        host = vertex_ai_host(region)
    except InputError:
        return
    assert urlsplit(f"https://{host}/v1").hostname == f"{region}-aiplatform.googleapis.com"


@pytest.mark.parametrize("region", ["us-central1", "northamerica-northeast2", "europe-west12"])
def test_a_region_has_its_hosts(region: str) -> None:
    assert vertex_ai_host(region) == f"{region}-aiplatform.googleapis.com"
    assert docker_registry(region) == f"{region}-docker.pkg.dev"
    assert kfp_registry(region) == f"{region}-kfp.pkg.dev"


@pytest.mark.parametrize(
    "host", ["evil.example", "1.us-central1-2.prediction.vertexai.goog.evil.example", "x#.prediction.vertexai.goog", ""]
)
def test_a_dedicated_host_is_of_vertex_ai(host: str) -> None:
    assert dedicated_host("1.us-central1-2.prediction.vertexai.goog") == "1.us-central1-2.prediction.vertexai.goog"
    with pytest.raises(InputError, match="is not the host of a dedicated endpoint"):
        dedicated_host(host)


@pytest.mark.parametrize("project", ["p#", "p?x", "p%2F", "p p", "", "..\\"])
def test_a_project_of_a_resource_name_does_not_end_its_path(project: str) -> None:
    with pytest.raises(InputError):
        ResourceName.parse(f"projects/{project}/locations/us-central1/endpoints/1", "endpoints")


OURS = "projects/42/locations/us-central1/pipelineJobs/mine"


@pytest.mark.parametrize(
    "run",
    [
        *(f"projects/42/locations/{region}/pipelineJobs/x" for region in PLANTED),
        "projects/someone-else/locations/us-central1/pipelineJobs/x",
        "projects/42/locations/us-central1/endpoints/1",
        "projects/42/locations/us-central1/pipelineJobs/x?alt=json",
        "x",
        7,
        None,
    ],
)
def test_a_lock_that_names_no_run_of_our_project_is_nobodys(run: Any) -> None:
    planted = json.dumps({"run": run, "since": "2026-11-30T12:00:00+00:00", "until": "2999-01-01T00:00:00+00:00"})
    assert held_by_a_run(planted.encode(), OURS) is None


def test_a_lock_of_a_run_of_our_project_is_that_runs() -> None:
    other = "projects/42/locations/europe-west4/pipelineJobs/x"
    holder = Holder(other, "2026-11-30T12:00:00+00:00", "2026-12-01T12:00:00+00:00")
    assert held_by_a_run(json.dumps(vars(holder)).encode(), OURS) == holder
    assert HOLD.total_seconds() > 0


@pytest.mark.parametrize(
    "command",
    [
        ["runs", "list", "--project", "p"],
        ["runs", "show", "x", "--project", "p"],
        ["endpoints", "list", "--project", "p"],
        ["schedule", "list", "--project", "p"],
        ["inventory", "--project", "my-project"],
        ["bootstrap", "--project", "my-project"],
        ["publish", "--project", "my-project", "--image", "i@sha256:" + "0" * 64],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_no_command_takes_what_is_not_a_region(command: list[str]) -> None:
    answer = CliRunner().invoke(vertex_vllm, [*command, "--region", "evil.example#"])
    assert isinstance(answer.exception, InputError)
    assert "evil.example#" in str(answer.exception)
    assert "us-central1" in str(answer.exception)


@pytest.mark.parametrize(
    "section", ["google_cloud: {region: 'REGION'}", "serving: {fallbacks: ['REGION/g2-standard-12']}"]
)
@pytest.mark.parametrize("region", [region for region in PLANTED if region])
def test_no_config_holds_what_is_not_a_region(section: str, region: str) -> None:
    quoted = region.replace("\n", "\\n")
    written = section.replace("'", '"').replace("REGION", quoted)
    with pytest.raises(ConfigError):
        parse_deployment(f"name: x\nmodel: {{id: a/b}}\n{written}\n", "x.yaml")


def test_only_one_module_builds_a_host_of_a_region() -> None:
    """Every f-string that continues a value with the rest of a Google host."""
    found = []
    for path in [path for area in ("vertex_vllm", "components", "pipelines") for path in (ROOT / area).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts = [str(part.value) for part in node.values if isinstance(part, ast.Constant)]
                if any(text.startswith(("-aiplatform.", "-docker.pkg", "-kfp.pkg")) for text in texts):
                    found.append(path.relative_to(ROOT).as_posix())
    assert set(found) == {"vertex_vllm/google/regional_hosts.py"}
