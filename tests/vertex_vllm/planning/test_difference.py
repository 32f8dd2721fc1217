"""Changes that a plan would make to the served endpoint: two values compared."""

from dataclasses import replace

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_8B, plan
from vertex_vllm.catalog import load_catalog
from vertex_vllm.planning.difference import Change, Serving, changes, planned_replicas
from vertex_vllm.planning.plan import ServingPlan

OLD, NEW = "a" * 40, "b" * 40
PLAN = plan(replace(LLAMA_8B, commit=OLD), max_model_len=4096)


def serving(plan: ServingPlan, commit: str = OLD) -> Serving:
    """The endpoint as if the plan had been deployed."""
    return Serving(
        endpoint="projects/p/locations/us-central1/endpoints/e",
        stage="live",
        config_hash=plan.config_hash,
        model_id=plan.model_id,
        image=plan.image,
        args=(*plan.args, f"--model=gs://bucket/models/{plan.model_id}/{commit}"),
        replicas=planned_replicas(plan),
    )


def test_the_same_plan_changes_nothing() -> None:
    assert changes(serving(PLAN), PLAN, load_catalog()) == ()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            {"machine_type": "g2-standard-24"},
            (
                Change("machine", "g2-standard-12, 1 × NVIDIA_L4", "g2-standard-24, 2 × NVIDIA_L4"),
                Change("arguments", "--tensor-parallel-size=1", "--tensor-parallel-size=2"),
                Change("USD/h", "1.00", "2.00"),
            ),
        ),
        (
            {"spot": True, "max_replica_count": 3},
            (
                Change("spot", "no", "yes"),
                Change("replicas", "1", "1 to 3"),
                Change("USD/h", "1.00", "0.56 to 1.69"),
            ),
        ),
        (
            {"extra_args": ["--enable-lora"], "image": PLAN.image.replace("20251205", "20251023")},
            (
                Change("image", PLAN.image, PLAN.image.replace("20251205", "20251023")),
                Change("arguments", "", "--enable-lora"),
            ),
        ),
        (
            {"region": "europe-west4"},
            (Change("region", "us-central1", "europe-west4"), Change("USD/h", "1.00", "unknown")),
        ),
    ],
)
def test_each_thing_that_would_be_otherwise_is_named(asked: dict[str, object], expected: tuple[Change, ...]) -> None:
    planned = plan(replace(LLAMA_8B, commit=OLD), max_model_len=4096, **asked)
    found = changes(serving(PLAN), planned, load_catalog())
    assert found[0] == Change("config", PLAN.config_hash, planned.config_hash)
    assert found[1:] == expected


def test_another_commit_is_a_change_where_the_plan_names_one() -> None:
    planned = plan(replace(LLAMA_8B, commit=NEW), max_model_len=4096)
    assert Change("commit", OLD, NEW) in changes(serving(PLAN), planned, load_catalog())
    # Facts from the catalogue name no commit.
    assert changes(serving(PLAN), plan(LLAMA_8B, max_model_len=4096), load_catalog()) == ()
