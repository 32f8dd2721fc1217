"""Whole plans, and the exact words of every refusal."""

from dataclasses import replace
from typing import Any

import pytest

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config import Deployment
from vertex_vllm.config.pipeline_parameters import deployment_from_parameters
from vertex_vllm.errors import PlanError
from vertex_vllm.planning.facts import ModelFacts
from vertex_vllm.planning.plan import QuotaNeed, ServingPlan
from vertex_vllm.planning.planner import plan_serving

SERVE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve"
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


def test_llama_3_1_8b_is_served_as_in_the_tutorial() -> None:
    assert plan(LLAMA_8B) == ServingPlan(
        deployment="test",
        model_id="meta-llama/Llama-3.1-8B",
        commit="",
        region="us-central1",
        machine_type="g2-standard-12",
        accelerator_type="NVIDIA_L4",
        accelerator_count=1,
        spot=False,
        min_replica_count=1,
        max_replica_count=1,
        image=f"{SERVE}:20251205_0916_RC01",
        vllm_version="0.11.0 to 0.13.0",
        args=(
            *START,
            "--tensor-parallel-size=1",
            "--max-model-len=4096",
            "--gpu-memory-utilization=0.9",
            "--dtype=auto",
            "--max-num-seqs=256",
            "--disable-log-stats",
        ),
        port=8080,
        predict_route="/generate",
        health_route="/ping",
        shared_memory_mb=16384,
        deployment_timeout_seconds=7200,
        dedicated_endpoint=True,
        request_timeout_seconds=1800,
        max_model_len=4096,
        vision=False,
        chat=False,
        quota=QuotaNeed("CustomModelServingL4GPUsPerProjectPerRegion", "us-central1", accelerators=1, minimum=1),
        reasons={
            "machine_type": "what Google's tutorial serves this model on",
            "memory": "fits: weights 15.0, activation 1.0, non-torch 0.2, CUDA graphs 0.0; 3.6 of 19.8 GiB for the "
            "cache, 29520 tokens; up to max_model_len 23520, or max_num_seqs 1352",
            "image": "newest image that Google names whose vLLM has LlamaForCausalLM; its version is inferred, not "
            "published",
            "args": "as Model Garden starts vLLM",
            "max_model_len": "what Google's tutorial serves with; the model takes 131072",
            "chat": "the repo has no chat template: it completes text, but does not chat; the model's Instruct "
            "version, or a --chat-template in serving.extra_args, would",
            "quota": "1 × NVIDIA_L4 a replica; replicas: 1",
            "model_id": "facts from the catalogue",
        },
    )


def test_llama_3_2_vision_gets_an_image_that_still_has_it_and_few_sequences() -> None:
    assert plan(LLAMA_VISION, spot=True, max_replica_count=3, region="europe-west4") == ServingPlan(
        deployment="test",
        model_id="meta-llama/Llama-3.2-11B-Vision-Instruct",
        commit="",
        region="europe-west4",
        machine_type="a2-highgpu-1g",
        accelerator_type="NVIDIA_TESLA_A100",
        accelerator_count=1,
        spot=True,
        min_replica_count=1,
        max_replica_count=3,
        image=f"{SERVE}:20250710_0916_RC01",
        vllm_version="0.9.2",
        args=(
            *START,
            "--tensor-parallel-size=1",
            "--max-model-len=4096",
            "--gpu-memory-utilization=0.9",
            "--dtype=auto",
            "--max-num-seqs=12",
            "--disable-log-stats",
            "--enforce-eager",
            "--swap-space=16",
        ),
        port=8080,
        predict_route="/generate",
        health_route="/ping",
        shared_memory_mb=16384,
        deployment_timeout_seconds=7200,
        dedicated_endpoint=True,
        request_timeout_seconds=1800,
        max_model_len=4096,
        vision=True,
        chat=True,
        quota=QuotaNeed("CustomModelServingPreemptibleA100GPUsPerProjectPerRegion", "europe-west4", 3, 1),
        reasons={
            "machine_type": "what Google's tutorial serves this model on",
            "memory": "fits: weights 19.9, activation 0.5, images 3.4, non-torch 0.2, CUDA graphs 0.0; 11.4 of 35.4 "
            "GiB for the cache, 29189 tokens; up to max_model_len 63456, or max_num_seqs 40",
            "image": "newest image that Google names whose vLLM has MllamaForConditionalGeneration, which had it "
            "until 0.10.2",
            "args": "as Model Garden starts vLLM; --enforce-eager --swap-space=16 for this model; --max-num-seqs=12: "
            "256 images at once ran out of memory in Google's tutorial",
            "max_model_len": "what Google's tutorial serves with; the model takes 131072",
            "chat": "the repo has a chat template",
            "quota": "1 × NVIDIA_TESLA_A100 a replica; replicas: 1 to 3",
            "model_id": "facts from the catalogue, unverified: layers, hidden_size, attention_heads, key_value_heads, "
            "head_size, context_length, parameters, weight_bytes, vocabulary, intermediate_size, "
            "cross_attention_layers, image_tokens, image_width",
        },
    )


@pytest.mark.parametrize(
    ("facts", "parameters", "machine", "parallel"),
    [
        # The size rule finds the tutorial's machines by itself: the next smaller one has too little host memory.
        (replace(recorded("meta-llama/Llama-3.2-1B"), model_id="a/b"), {}, "g2-standard-8", 1),
        (replace(recorded("meta-llama/Llama-3.2-3B"), model_id="a/b"), {}, "g2-standard-8", 1),
        (OTHER, {}, "g2-standard-12", 1),
        (replace(recorded("meta-llama/Llama-3.1-70B"), model_id="a/b"), {}, "g2-standard-96", 8),
        (replace(LLAMA_405B, model_id="a/b"), {}, "g4-standard-384", 8),
        # Longer contexts need more memory.
        (OTHER, {"max_model_len": 32768}, "g2-standard-24", 2),
        (OTHER, {"extra_args": ["--max-model-len", "32768"]}, "g2-standard-24", 2),
        # What is asked for restricts the choice.
        (OTHER, {"accelerator_type": "NVIDIA_TESLA_A100"}, "a2-highgpu-1g", 1),
        (OTHER, {"accelerator_count": 4}, "g2-standard-48", 4),
        (OTHER, {"region": "us-east5"}, "g4-standard-48", 1),
        (OTHER, {"dtype": "float16", "machine_type": "g2-standard-32"}, "g2-standard-32", 1),
        (OTHER, {"extra_args": ["-tp", "2"], "machine_type": "g2-standard-48"}, "g2-standard-48", 2),
        (OTHER, {"extra_args": ["--pipeline-parallel-size=2"], "accelerator_count": 4}, "g2-standard-48", 2),
        # 9 heads on one accelerator, since 2, 4 and 8 do not divide them.
        (replace(OTHER, attention_heads=9, key_value_heads=3), {"max_model_len": 100_000}, "a2-highgpu-1g", 1),
        # The tutorial's machine is not in the region.
        (LLAMA_VISION, {"region": "us-east4"}, "g2-standard-24", 2),
    ],
)
def test_the_cheapest_machine_that_fits_is_taken(
    facts: ModelFacts, parameters: dict[str, Any], machine: str, parallel: int
) -> None:
    decided = plan(facts, **parameters)
    assert decided.machine_type == machine
    given = [text for text in decided.args if text.startswith("--tensor-parallel-size=")]
    assert given in ([f"--tensor-parallel-size={parallel}"], [])
    assert given or decided.args[-2:] == ("-tp", str(parallel))


@pytest.mark.parametrize(
    ("facts", "parameters", "message"),
    [
        (
            LLAMA_VISION,
            {"machine_type": "g2-standard-12"},
            "serving.machine_type: g2-standard-12 cannot serve meta-llama/Llama-3.2-11B-Vision-Instruct: at best 3.6 "
            "GiB too little before any cache (weights 19.9, activation 0.5, images 3.4, non-torch 0.2 "
            "GiB). Take a2-highgpu-1g, as Google's tutorial "
            "does, or leave this out",
        ),
        (
            LLAMA_VISION,
            {"image": f"{SERVE}:20251205_0916_RC01"},
            f"serving.image: {SERVE}:20251205_0916_RC01 has vLLM 0.11.0 to 0.13.0, which does not have "
            "MllamaForConditionalGeneration (had it until 0.10.2). Leave it out: "
            f"{SERVE}:20250710_0916_RC01 would be taken",
        ),
        (
            LLAMA_8B,
            {"image": f"{SERVE}:20250717_0916_arm_RC01"},
            f"serving.image: {SERVE}:20250717_0916_arm_RC01 is built for ARM machines. Leave it out: "
            f"{SERVE}:20251205_0916_RC01 would be taken",
        ),
        (
            LLAMA_VISION,
            {"machine_type": "g4-standard-48"},
            "serving.machine_type: g4-standard-48 cannot serve meta-llama/Llama-3.2-11B-Vision-Instruct: "
            "NVIDIA_RTX_PRO_6000 needs vLLM 0.10.1 or later, the image has vLLM 0.9.2. Take a2-highgpu-1g, as Google's "
            "tutorial does, or leave this out",
        ),
        (
            recorded("meta-llama/Llama-3.2-1B"),
            {"machine_type": "n1-standard-8"},
            "serving.machine_type: n1-standard-8 cannot serve meta-llama/Llama-3.2-1B: NVIDIA_TESLA_T4 cannot compute "
            "in bfloat16. Set serving.dtype: float16, or choose another machine",
        ),
        (
            replace(LLAMA_8B, quantization="fbgemm_fp8"),
            {"machine_type": "n1-standard-8", "dtype": "float16"},
            "serving.machine_type: n1-standard-8 cannot serve meta-llama/Llama-3.1-8B: NVIDIA_TESLA_T4 has compute "
            "capability 7.5, fbgemm_fp8 needs 8.0. Take g2-standard-12, as Google's tutorial does, or leave this out",
        ),
        (
            replace(OTHER, attention_heads=9, key_value_heads=3),
            {"machine_type": "g2-standard-24"},
            "serving.machine_type: g2-standard-24 cannot serve someone/something: 9 attention heads cannot be split "
            "over 2 accelerators. Take g2-standard-12, the cheapest that fits",
        ),
        (
            OTHER,
            {"machine_type": "g2-standard-24", "extra_args": ["--tensor-parallel-size=4"]},
            "serving.machine_type: g2-standard-24 cannot serve someone/something: it has 2 accelerators, and the "
            "arguments ask for 4. Take g2-standard-48, the cheapest that fits",
        ),
        (
            replace(OTHER, weight_bytes=2_000_000_000_000),
            {},
            "serving: no machine in us-central1 fits someone/something; the largest, a4-highgpu-8g: at best 72.9 "
            "GiB too little before any cache (weights 232.9, activation 0.6, non-torch 0.8 GiB). "
            "This would change it: a smaller or "
            "quantised model",
        ),
        (
            LLAMA_405B,
            {"region": "me-west1"},
            "serving: no machine in me-west1 fits meta-llama/Llama-3.1-405B-FP8; the largest, a2-highgpu-8g: at best "
            "22.8 GiB too little before any cache (weights 57.7, activation 0.6, non-torch 0.8 GiB). "
            "This would change it: a2-ultragpu-8g "
            "in asia-southeast1, a3-highgpu-8g in asia-east1, a smaller or quantised model",
        ),
        (
            OTHER,
            {"accelerator_type": "NVIDIA_L4", "accelerator_count": 1, "max_model_len": 100_000},
            "serving: no machine in us-central1 fits someone/something; the largest, g2-standard-4: one request of "
            "100000 tokens needs 12.21 GiB of cache, 4.11 are left at best. This would change it: g2-standard-24 "
            "(no accelerator_type, no accelerator_count), serving.max_model_len: 12500, a smaller or quantised model",
        ),
        (
            OTHER,
            {"region": "us-west2"},
            "serving: of the machines in us-west2 only a4-highgpu-8g and the like fit someone/something, and what "
            "they cost is not known. Name one in serving.machine_type to take it whatever it costs, or choose another "
            "region",
        ),
        (
            OTHER,
            {"accelerator_type": "NVIDIA_L4", "accelerator_count": 3},
            "serving: no machine in us-central1 has 3 × NVIDIA_L4. Leave one of them out",
        ),
        (
            replace(OTHER, weight_bytes=0),
            {},
            "model.id: the size of someone/something is not known: it has no safetensors weights. Name a machine in "
            "serving.machine_type, or choose a repo with safetensors",
        ),
        (
            replace(OTHER, architecture="BertModel"),
            {},
            "model.id: someone/something (BertModel) embeds, ranks or classifies: it generates no text. Choose a "
            "model that generates text",
        ),
        (
            replace(OTHER, custom_code=True),
            {},
            "serving.trust_remote_code: someone/something brings Python code of its own, which serving it would run. "
            "Read the code at this commit, and set it to true if you trust it",
        ),
        (
            LLAMA_8B,
            {"max_model_len": 200_000},
            "serving.max_model_len: meta-llama/Llama-3.1-8B takes at most 131072 tokens, not 200000. Ask for 131072 or "
            "fewer; vLLM refuses to start with more",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["--swap-spac=16"]},
            "serving.extra_args: vLLM has no option --swap-spac. Did you mean --swap-space?",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["--swap-space=16"], "image": f"{SERVE}:20260320_0916_RC01"},
            "serving.extra_args: vLLM 0.18.0 to 0.19.0 in pytorch-vllm-serve:20260320_0916_RC01 does not have "
            "--swap-space; it was seen in vLLM 0.6.2 to 0.17.1. Leave it out, or name another image in serving.image",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["--model=gs://mine"]},
            "serving.extra_args: --model may not be given: the mirrored weights decide it. Leave it out",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["--port", "9"]},
            "serving.extra_args: --port may not be given: Vertex AI decides it. Leave it out",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["--hf_token=x"]},
            "serving.extra_args: --hf-token may not be given: whoever may see the Model could read it; the weights "
            "come from Cloud Storage and need none. Leave it out",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["8192"]},
            "serving.extra_args: '8192' belongs to no option. Begin with an option, as --flag=value",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["--max-model-len 8192"]},
            "serving.extra_args: --max-model-len and its value are one item. Write --max-model-len=8192",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["--max-model-len=8k"]},
            "serving.extra_args: --max-model-len must be a whole number above 0, not '8k'. Write it in digits",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["--gpu-memory-utilization=1.0"]},
            "serving.extra_args: --gpu-memory-utilization must be at most 0.99, not 1. Leave it out: "
            "serving.gpu_memory_utilization is for this",
        ),
    ],
)
def test_what_would_fail_later_is_refused_with_what_to_do(
    facts: ModelFacts, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(PlanError) as caught:
        plan(facts, **parameters)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("architecture", "image", "reason"),
    [
        (
            "FooForCausalLM",
            "20251205_0916_RC01",
            "newest image that Google names; FooForCausalLM is not known to the catalogue, so vLLM may refuse it or "
            "fall back to a slower generic implementation; its version is inferred, not published",
        ),
        (
            "BambaForCausalLM",
            "20251205_0916_RC01",
            "newest image that Google names whose vLLM has BambaForCausalLM, which had it until 0.23.0; its version is "
            "inferred, not published",
        ),
        (
            "AXK1ForCausalLM",
            "20260713_0916_RC01",
            "newest image whose vLLM has AXK1ForCausalLM (first seen in 0.17.1); Google itself names none that does, "
            "this one is known from others' files alone; its version is inferred, not published",
        ),
        (
            "BailingMoeV3ForCausalLM",
            "20260713_0916_RC01",
            "newest image whose vLLM may have BailingMoeV3ForCausalLM (first seen in 0.32.0); none surely does; its "
            "version is inferred, not published",
        ),
    ],
)
def test_an_image_is_chosen_by_what_is_known_of_the_architecture(architecture: str, image: str, reason: str) -> None:
    decided = plan(replace(OTHER, architecture=architecture))
    assert (decided.image, decided.reasons["image"]) == (f"{SERVE}:{image}", reason)


@pytest.mark.parametrize(
    ("image", "version", "reason"),
    [
        (f"{SERVE}:20250611_0916_RC01", "0.9.1", "named in the deployment"),
        (
            f"{SERVE}:latest",
            "unknown",
            "named in the deployment; its tag floats: another image may be behind it tomorrow; whether its vLLM has "
            "LlamaForCausalLM is not known to the catalogue",
        ),
        (
            "registry.example.com/team/vllm:1",
            "unknown",
            "named in the deployment, not in the catalogue: which vLLM it has is not known, so neither the "
            "architecture nor the arguments could be checked against it",
        ),
    ],
)
def test_an_image_of_ones_own_is_taken_with_what_could_not_be_checked(image: str, version: str, reason: str) -> None:
    decided = plan(LLAMA_8B, image=image)
    assert (decided.image, decided.vllm_version, decided.reasons["image"]) == (image, version, reason)


@pytest.mark.parametrize(
    ("facts", "parameters", "args", "reason"),
    [
        (
            LLAMA_8B,
            {"extra_args": ["--max_num_seqs=64", "--no-enable-prefix-caching", "--lora-modules", "a=gs://b", "c=d"]},
            (
                "--tensor-parallel-size=1",
                "--max-model-len=4096",
                "--gpu-memory-utilization=0.9",
                "--dtype=auto",
                "--disable-log-stats",
                "--max_num_seqs=64",
                "--no-enable-prefix-caching",
                "--lora-modules",
                "a=gs://b",
                "c=d",
            ),
            "as Model Garden starts vLLM; --max-num-seqs as the deployment's extra arguments say",
        ),
        (
            replace(LLAMA_8B, custom_code=True),
            {"trust_remote_code": True, "max_model_len": 2048, "max_num_seqs": 8, "dtype": "float16"},
            (
                "--tensor-parallel-size=1",
                "--max-model-len=2048",
                "--gpu-memory-utilization=0.9",
                "--dtype=float16",
                "--max-num-seqs=8",
                "--disable-log-stats",
                "--trust-remote-code",
            ),
            "as Model Garden starts vLLM",
        ),
        (
            LLAMA_405B,
            {},
            (
                "--tensor-parallel-size=8",
                "--max-model-len=4096",
                "--gpu-memory-utilization=0.9",
                "--dtype=auto",
                "--max-num-seqs=256",
                "--disable-log-stats",
            ),
            "as Model Garden starts vLLM; --allow-deprecated-quantization left out: vLLM 0.11.0 to 0.13.0 may not "
            "have it",
        ),
        (
            LLAMA_405B,
            {"image": f"{SERVE}:20260713_0916_RC01"},
            (
                "--tensor-parallel-size=8",
                "--max-model-len=4096",
                "--gpu-memory-utilization=0.9",
                "--dtype=auto",
                "--max-num-seqs=256",
                "--disable-log-stats",
                "--allow-deprecated-quantization",
            ),
            "as Model Garden starts vLLM; --allow-deprecated-quantization for this model",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["--model-type=llama3.1"]},
            (
                "--tensor-parallel-size=1",
                "--max-model-len=4096",
                "--gpu-memory-utilization=0.9",
                "--dtype=auto",
                "--max-num-seqs=256",
                "--disable-log-stats",
                "--model-type=llama3.1",
            ),
            "as Model Garden starts vLLM; whether vLLM 0.11.0 to 0.13.0 has --model-type is not known",
        ),
    ],
)
def test_arguments_are_model_gardens_with_the_deployments_own_winning(
    facts: ModelFacts, parameters: dict[str, Any], args: tuple[str, ...], reason: str
) -> None:
    decided = plan(facts, **parameters)
    assert decided.args == (*START, *args)
    assert decided.reasons["args"] == reason


def test_a_machine_that_is_only_probably_too_small_is_taken_with_a_warning() -> None:
    decided = plan(OTHER, machine_type="g2-standard-8", max_model_len=16384)
    assert decided.machine_type == "g2-standard-8"
    assert decided.reasons["machine_type"] == (
        "named in the deployment; it may be too small: its 32 GiB of host memory are fewer than 39: weights, 16 of "
        "shared memory and 8 for processes"
    )


@pytest.mark.parametrize(
    ("facts", "parameters", "length", "reason"),
    [
        (replace(LLAMA_8B, context_length=2048), {}, 2048, "all that the model takes"),
        (LLAMA_8B, {"max_model_len": 8192}, 8192, "named in the deployment"),
        (
            replace(LLAMA_8B, context_length=0),
            {},
            4096,
            "what Google's tutorial serves with; what the model takes is not known",
        ),
    ],
)
def test_the_context_is_the_tutorials_unless_something_says_otherwise(
    facts: ModelFacts, parameters: dict[str, Any], length: int, reason: str
) -> None:
    decided = plan(facts, **parameters)
    assert (decided.max_model_len, decided.reasons["max_model_len"]) == (length, reason)


def test_a_chat_template_can_be_given() -> None:
    decided = plan(LLAMA_8B, extra_args=["--chat-template=/templates/llama.jinja"])
    assert (decided.chat, decided.reasons["chat"]) == (True, "a chat template is given")


def test_a_deployment_that_was_never_a_file_is_checked_too() -> None:
    asked = deployment(LLAMA_8B)
    serving = asked.serving.model_copy(update={"machine_type": "g2-standard-99"})
    with pytest.raises(PlanError, match=r"^serving\.machine_type: unknown machine g2-standard-99\. Did you mean "):
        plan_serving(LLAMA_8B, asked.model_copy(update={"serving": serving}), load_catalog())


def test_a_model_whose_shape_nobody_has_read_is_uncertain_and_judged_by_a_flat_rule() -> None:
    decided = plan(replace(OTHER, transformer=None))
    assert decided.reasons["memory"] == (
        "uncertain: the model's shape is not known; roughly 18.1 of 19.8 GiB of each accelerator: weights 15.3, cache "
        "for one full request 0.5, vLLM 2.3"
    )


def test_an_architecture_that_nobody_has_looked_at_is_uncertain() -> None:
    told = plan(replace(OTHER, architecture="FooForCausalLM")).reasons["memory"]
    assert told.startswith("uncertain: how FooForCausalLM uses memory is not known; roughly 18.1 of 19.8 GiB")
