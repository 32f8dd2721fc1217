"""The hash of a config: one value for the file, for the run's parameters, and for the plan."""

from pathlib import Path

import pytest

from vertex_vllm.config import Deployment, load_deployment
from vertex_vllm.config.pipeline_parameters import deployment_from_parameters, parameter_values

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "configs").glob("*.yaml"))
CONFIG = {"name": "llama", "model": {"id": "org/name"}}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_run_reads_the_same_hash_from_its_parameters(path: Path) -> None:
    deployment = load_deployment(path)
    parameters = parameter_values("deploy", deployment, "some-project")
    assert deployment_from_parameters(**parameters).config_hash == deployment.config_hash


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"ttl": "8h"}, True),
        ({"owner": "team"}, True),
        ({"keep_endpoint": False}, True),
        ({"deploy_on_change": True}, True),
        ({"google_cloud": {"project": "some-project", "bucket": "some-bucket"}}, True),
        ({"evaluation": {"thresholds": {"min_exact_match": 0.5}}}, True),
        ({"name": "other"}, False),
        ({"model": {"id": "org/name", "revision": "v2"}}, False),
        ({"google_cloud": {"region": "europe-west4"}}, False),
        ({"serving": {"max_model_len": 2048}}, False),
        ({"evaluation": {"concurrency": 8}}, False),
    ],
    ids=str,
)
def test_the_hash_changes_with_the_model_that_is_asked_for_and_how_it_is_served(
    changed: dict[str, object], same: bool
) -> None:
    was = Deployment.model_validate(CONFIG).config_hash
    assert (Deployment.model_validate({**CONFIG, **changed}).config_hash == was) is same
