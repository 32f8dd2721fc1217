"""Plans compared whole."""

from dataclasses import replace
from typing import Any

from tests.vertex_vllm.planning.planned import LLAMA_8B, LLAMA_VISION, NEWEST, PROMPT_EMBEDDINGS, SERVE, START, plan
from tests.vertex_vllm.plans import serving_plan
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.plan import QuotaNeed, ServingPlan

WITHOUT_TOKEN = (
    "{} is gated and the config names no hf_token_secret: the run's first step would be refused. Accept the licence on "
    "the Hub, put a read token into Secret Manager, name the secret"
)


def decided(facts: ModelFacts, **parameters: Any) -> ServingPlan:
    """The plan without the fields that have tests of their own."""
    return replace(plan(facts, **parameters), config_hash="", alternatives=(), memory=None, start_seconds={}, load="")


def test_llama_3_1_8b_is_served_as_in_the_tutorial() -> None:
    assert decided(LLAMA_8B) == serving_plan(
        deployment="test",
        config_hash="",
        model_id="meta-llama/Llama-3.1-8B",
        commit="",
        region="us-central1",
        machine_type="g2-standard-12",
        image=f"{SERVE}:20251205_0916_RC01",
        vllm_version="0.11.0 to 0.13.0",
        args=(
            *START,
            "--tensor-parallel-size=1",
            "--max-model-len=5632",
            "--gpu-memory-utilization=0.9",
            "--dtype=auto",
            "--max-num-seqs=256",
        ),
        chat=False,
        quota=QuotaNeed("CustomModelServingL4GPUsPerProjectPerRegion", "us-central1", accelerators=1, minimum=1),
        reasons={
            "machine_type": "what Google's tutorial serves this model on, and the cheapest in us-central1 that fits "
            "with room for 4 requests of 4096 tokens at once (1.00 USD/h, Compute Engine's list price in us-central1)",
            "memory": "fits: weights 15.0, activation 1.0, non-torch 0.2, CUDA graphs 0.0; 3.6 of 19.8 GiB for the "
            "cache, 29520 tokens",
            "image": "newest image that Google names whose vLLM has LlamaForCausalLM; its version is inferred, not "
            "published" + PROMPT_EMBEDDINGS + f"pytorch-vllm-serve:{NEWEST} has none of these",
            "args": "as Model Garden starts vLLM",
            "max_model_len": "the longest with room for 4 requests at once; a request by itself may have up to 23296: "
            "serving.max_model_len; the model takes 131072",
            "chat": "the repo has no chat template: it completes text, but does not chat; the model's Instruct "
            "version, or a --chat-template in serving.extra_args, would",
            "quota": "1 × NVIDIA_L4 a replica; replicas: 1",
            "model_id": "facts from the catalogue",
        },
        warnings=(
            WITHOUT_TOKEN.format("meta-llama/Llama-3.1-8B"),
            "advisory CVE-2025-62164: a request's prompt embeddings overwrite memory while they are loaded; fixed in "
            "vLLM 0.11.1, and the image has 0.11.0 to 0.13.0",
        ),
        verdict="fits",
        usd_per_hour=1.0004,
        max_model_len=5632,
        requests=4,
        concurrency=4,
    )


def test_llama_3_2_vision_gets_an_image_that_still_has_it_and_few_sequences() -> None:
    assert decided(LLAMA_VISION, spot=True, max_replica_count=3, region="europe-west4") == serving_plan(
        deployment="test",
        config_hash="",
        model_id="meta-llama/Llama-3.2-11B-Vision-Instruct",
        commit="",
        region="europe-west4",
        machine_type="g2-standard-24",
        accelerator_count=2,
        spot=True,
        max_replica_count=3,
        image=f"{SERVE}:20250710_0916_RC01",
        vllm_version="0.9.2",
        args=(
            *START,
            "--tensor-parallel-size=2",
            "--max-model-len=4096",
            "--gpu-memory-utilization=0.9",
            "--dtype=auto",
            "--max-num-seqs=12",
            "--enforce-eager",
            "--swap-space=16",
        ),
        vision=True,
        quota=QuotaNeed("CustomModelServingPreemptibleL4GPUsPerProjectPerRegion", "europe-west4", 6, 2),
        reasons={
            "machine_type": "the cheapest in europe-west4 that fits with room for 4 requests of 4096 tokens at once "
            "(1.12 USD/h, Compute Engine's spot price in us-central1); Google's tutorial serves it on a2-highgpu-1g, "
            "at 1.93 USD/h",
            "memory": "fits: weights 10.0, activation 0.3, images 3.4, non-torch 0.8, CUDA graphs 0.0; 5.3 of 19.8 GiB "
            "for the cache, 27287 tokens",
            "image": "newest image that Google names whose vLLM has MllamaForConditionalGeneration, which had it "
            "until 0.10.2; advisories: CVE-2025-6242 (requests make the server fetch any address (SSRF by image URL); "
            "fixed in 0.11.0); CVE-2026-24779 (a backslash in an image URL passes the list of allowed hosts (SSRF); "
            "fixed in 0.14.1); CVE-2026-22778 (a malformed picture or video overflows memory while it is decoded; "
            "fixed in 0.14.1); no known image is free of them",
            "args": "as Model Garden starts vLLM; --enforce-eager --swap-space=16 for this model; --max-num-seqs=12: "
            "256 images at once ran out of memory in Google's tutorial",
            "max_model_len": "as long as Google's tutorial has it: a prompt is computed in one step, and a long one "
            "takes memory and makes all other requests wait; the model takes 131072: set serving.max_model_len for "
            "more",
            "chat": "the repo has a chat template",
            "quota": "2 × NVIDIA_L4 a replica; replicas: 1 to 3",
            "model_id": "facts from the catalogue, unverified: layers, hidden_size, attention_heads, key_value_heads, "
            "head_size, context_length, parameters, weight_bytes, vocabulary, intermediate_size, "
            "cross_attention_layers, image_tokens, image_width",
        },
        warnings=(
            WITHOUT_TOKEN.format("meta-llama/Llama-3.2-11B-Vision-Instruct"),
            "the price of g2-standard-24 in europe-west4 is not in the catalogue",
            "advisory CVE-2025-6242: requests make the server fetch any address (SSRF by image URL); fixed in "
            "vLLM 0.11.0, and the image has 0.9.2",
            "advisory CVE-2026-24779: a backslash in an image URL passes the list of allowed hosts (SSRF); fixed "
            "in vLLM 0.14.1, and the image has 0.9.2",
            "advisory CVE-2026-22778: a malformed picture or video overflows memory while it is decoded; fixed in"
            " vLLM 0.14.1, and the image has 0.9.2",
        ),
        verdict="fits",
        # No price of europe-west4 has a dated source.
        usd_per_hour=None,
        requests=5,
        concurrency=4,
    )
