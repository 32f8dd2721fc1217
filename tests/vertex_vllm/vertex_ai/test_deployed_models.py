"""Deployed models, read from Endpoint messages as values; and prices that are never guessed."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.catalog import load_catalog
from vertex_vllm.catalog.prices import HourlyPrice, Replicas, hourly_price
from vertex_vllm.vertex_ai.deployed_models import Served, served_on

NAME = "projects/42/locations/us-central1/endpoints/vllm-llama-0123456789"
MADE, DEPLOYED = datetime(2026, 11, 22, 9, tzinfo=UTC), datetime(2026, 11, 22, 10, tzinfo=UTC)
LABELS = {"managed-by": "vertex-vllm", "vertex-vllm-deployment": "llama", "vertex-vllm-run": "deploy-llama-1"}
L4 = Replicas("g2-standard-12", "NVIDIA_L4", 1, "us-central1", spot=False, least=1, most=1)


def deployed(**resources: Any) -> vertex.DeployedModel:
    machine = {"machine_type": "g2-standard-12", "accelerator_type": "NVIDIA_L4", "accelerator_count": 1}
    return vertex.DeployedModel(dedicated_resources={"machine_spec": machine, **resources}, create_time=DEPLOYED)


def test_each_deployed_model_is_a_row() -> None:
    endpoint = vertex.Endpoint(
        name=NAME,
        labels={**LABELS, "vertex-vllm-stage": "live"},
        create_time=MADE,
        deployed_models=[
            deployed(min_replica_count=1),
            deployed(min_replica_count=2, max_replica_count=4, spot=True),
        ],
    )
    marks = (NAME, "llama", "live", "deploy-llama-1")
    assert list(served_on(endpoint)) == [
        Served(*marks, L4, DEPLOYED),
        Served(*marks, replace(L4, spot=True, least=2, most=4), DEPLOYED),
    ]


def test_an_endpoint_without_a_model_rents_nothing() -> None:
    endpoint = vertex.Endpoint(name=NAME, labels=LABELS, create_time=MADE)
    assert list(served_on(endpoint)) == [Served(NAME, "llama", "", "deploy-llama-1", None, MADE)]


@pytest.mark.parametrize(
    ("changes", "price"),
    [
        ({}, HourlyPrice(1.0004, 1.0004)),
        ({"spot": True}, HourlyPrice(0.5624, 0.5624)),
        ({"least": 2, "most": 3}, HourlyPrice(2 * 1.0004, 3 * 1.0004)),
        ({"region": "europe-west4"}, None),
        ({"accelerator_count": 2}, None),
        ({"accelerator_type": "NVIDIA_TESLA_T4"}, None),
        ({"machine_type": "n1-standard-4", "accelerator_type": "", "accelerator_count": 0}, None),
    ],
    ids=["list", "spot", "replicas", "region", "count", "accelerator", "machine"],
)
def test_a_price_is_the_catalogues_or_unknown(changes: dict[str, Any], price: HourlyPrice | None) -> None:
    assert hourly_price(replace(L4, **changes), load_catalog()) == price
