"""Models for tests of planning, and functions that plan them."""

from dataclasses import replace
from typing import Any

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config import Deployment
from vertex_vllm.config.pipeline_parameters import deployment_from_parameters
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.measurement import Measurement
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.planner import plan_serving

SERVE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve"
NEWEST = "20260713_0916_RC01"
"""Tag of the newest image of the catalogue."""
SOURCE = "projects/p/locations/us-central1/endpoints/1"
# Warning of every plan whose image may have a vLLM from 0.10.2 to before 0.11.1.
PROMPT_EMBEDDINGS = (
    "; advisories: CVE-2025-62164 (a request's prompt embeddings overwrite memory while they are loaded; fixed in "
    "0.11.1); "
)
START = ("python", "-m", "vllm.entrypoints.api_server", "--host=0.0.0.0", "--port=8080")


def recorded(model_id: str) -> ModelFacts:
    facts = load_catalog().facts(model_id)
    assert isinstance(facts, ModelFacts)
    return facts


LLAMA_8B = recorded("meta-llama/Llama-3.1-8B")
LLAMA_VISION = recorded("meta-llama/Llama-3.2-11B-Vision-Instruct")
LLAMA_405B = recorded("meta-llama/Llama-3.1-405B-FP8")
# A model that has no preset, so that the size rule decides.
OTHER = replace(LLAMA_8B, model_id="someone/something", source="Hub", commit="c" * 40)


def deployment(facts: ModelFacts, **parameters: Any) -> Deployment:
    return deployment_from_parameters(deployment="test", model_id=facts.model_id, **parameters)


def plan(facts: ModelFacts, **parameters: Any) -> ServingPlan:
    return plan_serving(facts, deployment(facts, **parameters), load_catalog())


def measured(decided: ServingPlan, **changes: Any) -> Measurement:
    """The measurement that an evaluation of this plan would have recorded."""
    fields: dict[str, Any] = {
        "model_id": decided.model_id,
        "commit": decided.commit or "a" * 40,
        "machine_type": decided.machine_type,
        "accelerator_type": decided.accelerator_type,
        "accelerator_count": decided.accelerator_count,
        "replicas": 1,
        "image": decided.image,
        "args": decided.args,
        "concurrency": decided.concurrency,
        "output_tokens_per_second": 100.0,
        "input_tokens_per_second": 25.0,
        "measured_at": "2026-11-20T10:00:00+00:00",
        "source": SOURCE,
    }
    return Measurement(**{**fields, **changes})
