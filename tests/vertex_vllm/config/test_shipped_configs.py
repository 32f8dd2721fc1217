"""The files in configs/ are valid and can be planned without the Hub; the tutorial's machines are among the offers."""

from pathlib import Path

import pytest

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config import load_deployment
from vertex_vllm.config.schema import schema_text
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.planner import plan_serving

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))
L4, A100, RTX = "NVIDIA_L4", "NVIDIA_A100_80GB", "NVIDIA_RTX_PRO_6000"


def test_every_config_plans_offline_on_the_cheapest_machine_that_fits() -> None:
    catalog = load_catalog()
    planned = {}
    for path in FILES:
        deployment = load_deployment(path)
        facts = catalog.facts(deployment.model.id)
        assert isinstance(facts, ModelFacts)
        plan = plan_serving(facts, deployment, catalog)
        assert plan.verdict == "fits"
        preset = catalog.preset(deployment.model.id)
        if preset is not None and preset.machine != plan.machine_type:
            tutorials = next(offer for offer in plan.alternatives if offer.tutorial)
            assert (tutorials.machine_type, tutorials.verdict) == (preset.machine, "fits")
        planned[path.stem] = (plan.machine_type, plan.accelerator_count, plan.accelerator_type, plan.vision, plan.chat)
    assert planned == {
        "llama-3.1-405b-fp8": ("g4-standard-384", 8, RTX, False, False),
        "llama-3.1-405b-instruct-fp8": ("g4-standard-384", 8, RTX, False, True),
        "llama-3.1-70b": ("g2-standard-96", 8, L4, False, False),
        "llama-3.1-70b-instruct": ("g2-standard-96", 8, L4, False, True),
        "llama-3.1-8b": ("g2-standard-12", 1, L4, False, False),
        "llama-3.1-8b-instruct": ("g2-standard-12", 1, L4, False, True),
        "llama-3.2-11b-vision": ("g2-standard-24", 2, L4, True, False),
        "llama-3.2-11b-vision-instruct": ("g2-standard-24", 2, L4, True, True),
        "llama-3.2-1b": ("g2-standard-8", 1, L4, False, False),
        "llama-3.2-1b-instruct": ("g2-standard-8", 1, L4, False, True),
        "llama-3.2-3b": ("g2-standard-8", 1, L4, False, False),
        "llama-3.2-3b-instruct": ("g2-standard-8", 1, L4, False, True),
        "llama-3.2-90b-vision": ("a2-ultragpu-4g", 4, A100, True, False),
        "llama-3.2-90b-vision-instruct": ("a2-ultragpu-4g", 4, A100, True, True),
        "smollm2-135m-idefics3": ("g2-standard-8", 1, L4, True, True),
        "smollm2-135m-instruct": ("g2-standard-8", 1, L4, False, True),
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_config_is_named_like_its_file_and_a_gated_model_names_a_secret(path: Path) -> None:
    deployment = load_deployment(path)
    facts = load_catalog().facts(deployment.model.id)
    assert isinstance(facts, ModelFacts)
    assert deployment.name == path.stem.replace(".", "-")
    assert bool(deployment.hf_token_secret) == facts.gated


def test_the_schema_for_editors_is_current() -> None:
    """`python -m vertex_vllm.config.schema configs/deployment.schema.json` writes the current schema."""
    assert (CONFIGS / "deployment.schema.json").read_text(encoding="utf-8") == schema_text()
