"""Quota preferences by their own client: a lower value is granted at once, a higher one when a test grants it."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import cloudquotas_v1

from localcloud.daemon import Connection

L4 = "CustomModelServingL4GPUsPerProjectPerRegion"
SERVICE = "aiplatform.googleapis.com"
Client = cloudquotas_v1.CloudQuotasClient


@pytest.fixture(params=["grpc", "rest"])
def client(request: pytest.FixtureRequest, cloud: Connection) -> Iterator[Client]:
    with Client(transport=request.param) as made:
        yield made


@pytest.fixture
def parent(project: str) -> str:
    return f"projects/{project}/locations/global"


def wanted(value: int, region: str = "europe-west4", **fields: Any) -> dict[str, Any]:
    config = {"preferred_value": value}
    return {"service": SERVICE, "quota_id": L4, "dimensions": {"region": region}, "quota_config": config, **fields}


def limit(client: Client, parent: str, region: str = "europe-west4") -> int:
    info = client.get_quota_info(name=f"{parent}/services/{SERVICE}/quotaInfos/{L4}")
    return next(int(row.details.value) for row in info.dimensions_infos if region in row.applicable_locations)


def test_less_is_granted_at_once(client: Client, parent: str) -> None:
    made = client.create_quota_preference(
        parent=parent, quota_preference=wanted(1, contact_email="a@example.com"), quota_preference_id="l4"
    )

    assert made.name.endswith("/locations/global/quotaPreferences/l4")
    assert (made.quota_config.granted_value, made.reconciling, made.contact_email) == (1, False, "")
    assert limit(client, parent) == 1
    assert client.get_quota_preference(name=f"{parent}/quotaPreferences/l4") == made
    assert list(client.list_quota_preferences(parent=parent)) == [made]


def test_more_waits_until_somebody_grants_it(client: Client, parent: str, cloud: Connection, project: str) -> None:
    before = limit(client, parent)
    made = client.create_quota_preference(parent=parent, quota_preference=wanted(before + 5))
    assert (made.reconciling, made.quota_config.granted_value) == (True, before)
    assert limit(client, parent) == before
    row = {"project": project, "quota_id": L4, "region": "europe-west4", "limit": before + 5}
    cloud.admin("PUT", "/_local/quotas", row)
    granted = client.get_quota_preference(name=made.name)
    assert (granted.reconciling, granted.quota_config.granted_value) == (False, before + 5)


def test_an_update_asks_for_another_value(client: Client, parent: str) -> None:
    made = client.create_quota_preference(parent=parent, quota_preference=wanted(1))
    made.quota_config.preferred_value = 0
    tried = client.update_quota_preference(request={"quota_preference": made, "validate_only": True})
    assert (tried.quota_config.preferred_value, limit(client, parent)) == (0, 1)
    changed = client.update_quota_preference(quota_preference=made)
    assert (changed.quota_config.granted_value, limit(client, parent)) == (0, 0)
    with pytest.raises(exceptions.Conflict):
        client.update_quota_preference(quota_preference=made)


@pytest.mark.parametrize(
    "preference",
    [
        wanted(1, region="nowhere"),
        wanted(1, quota_id="CpusPerProject"),
        wanted(1, service="compute.googleapis.com"),
        wanted(-1),
        {**wanted(1), "dimensions": {}},
    ],
)
def test_preferences_that_nobody_could_grant(client: Client, parent: str, preference: dict[str, Any]) -> None:
    with pytest.raises(exceptions.BadRequest):
        client.create_quota_preference(parent=parent, quota_preference=preference)


def test_a_quota_has_one_preference(client: Client, parent: str) -> None:
    client.create_quota_preference(parent=parent, quota_preference=wanted(1))
    with pytest.raises(exceptions.Conflict):
        client.create_quota_preference(parent=parent, quota_preference=wanted(0))
    with pytest.raises(exceptions.NotFound):
        client.get_quota_preference(name=f"{parent}/quotaPreferences/absent")
