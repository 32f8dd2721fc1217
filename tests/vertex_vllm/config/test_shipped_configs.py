"""What stands in configs/ is valid and plannable without the Hub, the tutorial's models on the tutorial's machines."""

from pathlib import Path

import pytest

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config import load_deployment
from vertex_vllm.config.schema import schema_text
from vertex_vllm.planning.facts import ModelFacts
from vertex_vllm.planning.planner import plan_serving

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))
L4, A100, H100 = "NVIDIA_L4", "NVIDIA_TESLA_A100", "NVIDIA_H100_80GB"


def test_every_config_plans_offline_on_the_machine_that_the_tutorial_names() -> None:
    catalog = load_catalog()
    planned = {}
    for path in FILES:
        deployment = load_deployment(path)
        facts = catalog.facts(deployment.model.id)
        assert isinstance(facts, ModelFacts)
        plan = plan_serving(facts, deployment, catalog)
        planned[path.stem] = (plan.machine_type, plan.accelerator_count, plan.accelerator_type, plan.vision, plan.chat)
    assert planned == {
        "llama-3.1-405b-fp8": ("a3-highgpu-8g", 8, H100, False, False),
        "llama-3.1-405b-instruct-fp8": ("a3-highgpu-8g", 8, H100, False, True),
        "llama-3.1-70b": ("g2-standard-96", 8, L4, False, False),
        "llama-3.1-70b-instruct": ("g2-standard-96", 8, L4, False, True),
        "llama-3.1-8b": ("g2-standard-12", 1, L4, False, False),
        "llama-3.1-8b-instruct": ("g2-standard-12", 1, L4, False, True),
        "llama-3.2-11b-vision": ("a2-highgpu-1g", 1, A100, True, False),
        "llama-3.2-11b-vision-instruct": ("a2-highgpu-1g", 1, A100, True, True),
        "llama-3.2-1b": ("g2-standard-8", 1, L4, False, False),
        "llama-3.2-1b-instruct": ("g2-standard-8", 1, L4, False, True),
        "llama-3.2-3b": ("g2-standard-8", 1, L4, False, False),
        "llama-3.2-3b-instruct": ("g2-standard-8", 1, L4, False, True),
        "llama-3.2-90b-vision": ("a3-highgpu-8g", 8, H100, True, False),
        "llama-3.2-90b-vision-instruct": ("a3-highgpu-8g", 8, H100, True, True),
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
    """`python -m vertex_vllm.config.schema configs/deployment.schema.json` makes it so."""
    assert (CONFIGS / "deployment.schema.json").read_text(encoding="utf-8") == schema_text()
