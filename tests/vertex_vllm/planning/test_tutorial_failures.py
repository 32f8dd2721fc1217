"""Failures that Google's tutorial found in logs after an hour of deployment: the plan of each config names it.

The test of the fourth, a gated repo without a token, is in hub/test_access.py.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner

from vertex_vllm.catalog import load_catalog
from vertex_vllm.cli import vertex_vllm
from vertex_vllm.config import load_deployment
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.memory.explain import explain_memory
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.planner import plan_serving

CONFIG = """\
name: failing
model:
  id: {model}
hf_token_secret: hf-token
google_cloud:
  region: us-central1
serving: {serving}
"""
VISION = "meta-llama/Llama-3.2-11B-Vision-Instruct"
TEXT = "meta-llama/Llama-3.1-8B-Instruct"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "failing.yaml"


def plan(path: Path, model: str, serving: str) -> ServingPlan:
    path.write_text(CONFIG.format(model=model, serving=serving), encoding="utf-8")
    catalog = load_catalog()
    facts = catalog.facts(model)
    assert isinstance(facts, ModelFacts)
    return plan_serving(facts, load_deployment(path), catalog)


def test_256_images_at_once_run_out_of_memory(config: Path) -> None:
    with pytest.raises(PlanError) as caught:
        plan(config, VISION, "{machine_type: a2-highgpu-1g, max_num_seqs: 256}")
    assert str(caught.value) == (
        f"serving.machine_type: a2-highgpu-1g cannot serve {VISION}: at best 50.7 GiB too little before any cache "
        "(weights 19.9, activation 0.6, images 73.1, non-torch 0.2 GiB). serving.max_num_seqs: 40 would fit; or take "
        "a3-ultragpu-8g, which fits; what it costs is not known"
    )
    assert plan(config, VISION, "{machine_type: a2-highgpu-1g, max_num_seqs: 40}").reasons["memory"].startswith("fits")
    # The tutorial's remedy on its machine; without a named machine, a cheaper one.
    tutorials = plan(config, VISION, "{machine_type: a2-highgpu-1g, max_num_seqs: 12}")
    assert tutorials.reasons["memory"].startswith("fits")
    cheaper = plan(config, VISION, "{max_num_seqs: 12}")
    assert (cheaper.machine_type, cheaper.usd_per_hour) == ("g2-standard-24", 2.0008)
    assert next(offer for offer in cheaper.alternatives if offer.tutorial).machine_type == "a2-highgpu-1g"


def test_without_a_machine_it_says_why_not_the_tutorials(config: Path) -> None:
    with pytest.raises(PlanError) as caught:
        plan(config, VISION, "{max_num_seqs: 256}")
    assert "not the tutorial's a2-highgpu-1g: at best 50.7 GiB too little" in str(caught.value)
    assert "serving.max_num_seqs: 40 would fit" in str(caught.value)


def test_a_context_longer_than_the_cache_is_refused_with_the_longest_that_fits(config: Path) -> None:
    with pytest.raises(PlanError) as caught:
        plan(config, TEXT, "{machine_type: g2-standard-12, max_model_len: 65536}")
    assert str(caught.value) == (
        f"serving.machine_type: g2-standard-12 cannot serve {TEXT}: one request of 65536 tokens needs 8.00 GiB of "
        "cache, 4.11 are left at best. serving.max_model_len: 23296 would fit; or take g2-standard-48, the cheapest "
        "that fits, or leave this out"
    )
    longest = plan(config, TEXT, "{machine_type: g2-standard-12, max_model_len: 23296}")
    assert longest.reasons["memory"].startswith("fits")


def test_a_model_without_chat_template_is_planned_without_chat(config: Path) -> None:
    base = plan(config, "meta-llama/Llama-3.1-8B", "{}")
    assert not base.chat
    assert "Instruct version" in base.reasons["chat"]
    assert plan(config, "meta-llama/Llama-3.1-8B", "{extra_args: [--chat-template=/templates/llama.jinja]}").chat


def test_the_11b_vision_model_does_not_fit_the_l4_of_the_tutorials_text(config: Path) -> None:
    with pytest.raises(PlanError, match=r"g2-standard-12 cannot serve .*weights 19\.9"):
        plan(config, VISION, "{machine_type: g2-standard-12}")


def test_every_number_of_a_verdict_is_unfolded(config: Path) -> None:
    account = plan(config, VISION, "{}").memory
    assert account is not None
    lines = explain_memory(account).splitlines()
    assert [line[:16].rstrip() for line in lines[:8]] == [
        "requested",
        "− weights",
        "− activation",
        "− images",
        "− non-torch",
        "− CUDA graphs",
        "= KV cache",
        "one request",
    ]
    assert lines[3].endswith("12 profiled, one a sequence; vllm-project/vllm#12126")


def test_the_documentation_shows_an_estimate_unfolded_as_it_is() -> None:
    root = Path(__file__).resolve().parents[3]
    documentation = (root / "docs/planning/memory.md").read_text(encoding="utf-8")
    command = next(line for line in documentation.splitlines() if line.startswith("vertex-vllm plan --explain "))
    shown = CliRunner().invoke(vertex_vllm, [*command.split()[1:-1], str(root / command.split()[-1])])
    assert shown.exit_code == 0
    assert f"```\n{shown.output}```\n" in documentation
