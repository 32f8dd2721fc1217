"""The exact words of every refusal."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.planning.planned import (
    LLAMA_8B,
    LLAMA_405B,
    LLAMA_VISION,
    OTHER,
    SERVE,
    deployment,
    plan,
    recorded,
)
from vertex_vllm.catalog import load_catalog
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.planner import plan_serving


@pytest.mark.parametrize(
    ("facts", "parameters", "message"),
    [
        (
            LLAMA_VISION,
            {"machine_type": "g2-standard-12"},
            "serving.machine_type: g2-standard-12 cannot serve meta-llama/Llama-3.2-11B-Vision-Instruct: at best 3.6 "
            "GiB too little before any cache (weights 19.9, activation 0.5, images 3.4, non-torch 0.2 "
            "GiB). Take g2-standard-24, the cheapest that fits, "
            "or leave this out",
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
            "NVIDIA_RTX_PRO_6000 needs vLLM 0.10.1 or later, the image has vLLM 0.9.2. Take g2-standard-24, the "
            "cheapest that fits, or leave this out",
        ),
        (
            recorded("meta-llama/Llama-3.2-1B"),
            {"machine_type": "n1-standard-8", "dtype": "bfloat16"},
            "serving.machine_type: n1-standard-8 cannot serve meta-llama/Llama-3.2-1B: NVIDIA_TESLA_T4 cannot compute "
            "in bfloat16. serving.dtype: auto would fit; or take g2-standard-8, the cheapest that fits, as Google's "
            "tutorial does, or leave this out",
        ),
        (
            replace(LLAMA_8B, quantization="fbgemm_fp8"),
            {"machine_type": "n1-standard-8", "dtype": "float16"},
            "serving.machine_type: n1-standard-8 cannot serve meta-llama/Llama-3.1-8B: NVIDIA_TESLA_T4 has compute "
            "capability 7.5, fbgemm_fp8 needs 8.0 in vLLM 0.11.0 to 0.13.0. "
            "Take g2-standard-12, the cheapest that fits, as Google's "
            "tutorial does, or leave this out",
        ),
        (
            OTHER.reshaped(attention_heads=9, key_value_heads=3),
            {"machine_type": "g2-standard-24"},
            "serving.machine_type: g2-standard-24 cannot serve someone/something: 9 attention heads cannot be split "
            "over 2 accelerators. Take g2-standard-12, the cheapest that fits, or leave this out",
        ),
        (
            OTHER,
            {"machine_type": "g2-standard-24", "extra_args": ["--tensor-parallel-size=4"]},
            "serving.machine_type: g2-standard-24 cannot serve someone/something: it has 2 accelerators, and the "
            "arguments ask for 4. Take g2-standard-48, the cheapest that fits, or leave this out",
        ),
        (
            replace(OTHER, weight_bytes=2_000_000_000_000),
            {},
            "serving: no machine in us-central1 fits someone/something; the largest, a4-highgpu-8g: at best 72.8 "
            "GiB too little before any cache (weights 232.9, activation 0.6, non-torch 0.8 GiB). "
            "This would change it: a smaller or "
            "quantised model",
        ),
        (
            LLAMA_405B,
            {"region": "me-west1"},
            "serving: no machine in me-west1 fits meta-llama/Llama-3.1-405B-FP8; the largest, a2-highgpu-8g: at best "
            "22.8 GiB too little before any cache (weights 57.7, activation 0.6, non-torch 0.8 GiB); the tutorial's "
            "a3-highgpu-8g is not possible here. This would change it: a2-ultragpu-8g in asia-southeast1, "
            "a3-highgpu-8g in asia-east1, a smaller or quantised model",
        ),
        (
            OTHER,
            {"accelerator_type": "NVIDIA_L4", "accelerator_count": 1, "max_model_len": 100_000},
            "serving: no machine in us-central1 fits someone/something; the largest, g2-standard-4: one request of "
            "100000 tokens needs 12.21 GiB of cache, 4.11 are left at best. This would change it: g2-standard-48 "
            "(no accelerator_type, no accelerator_count), serving.max_model_len: 12500, a smaller or quantised model",
        ),
        (
            OTHER,
            {"region": "us-west2"},
            "serving: of the machines in us-west2 only a4-highgpu-8g and the like fit someone/something, and what "
            "they cost is not known. Name one in serving.machine_type to take it at any price, or choose another "
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
            OTHER.reshaped(architecture="BertModel"),
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
            "fewer; vLLM refuses to start with more, unless --hf-overrides gives a rope_scaling, which the "
            "model's card may name",
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
            "--swap-space; it was seen in vLLM 0.6.2 to 0.17.1. Leave it out, or name another image in "
            "serving.image",
        ),
        (
            LLAMA_VISION,
            {"extra_args": ["--enable-lora"]},
            "serving.extra_args: vLLM takes no LoRA adapters for MllamaForConditionalGeneration (Llama 3.2 Vision). "
            "Leave --enable-lora out, or merge the adapter into the weights",
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
            "serving.extra_args: --hf-token may not be given: all who may see the Model could read it; the weights "
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
            {"extra_args": ["--max-model-len=8x"]},
            "serving.extra_args: --max-model-len must be a whole number above 0, not '8x'. Write it in digits",
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


def test_a_deployment_that_was_never_a_file_is_checked_too() -> None:
    asked = deployment(LLAMA_8B)
    serving = asked.serving.model_copy(update={"machine_type": "g2-standard-99"})
    with pytest.raises(
        PlanError, match=r"^serving\.machine_type: g2-standard-99 is not in the catalogue of machines\. Did you mean "
    ):
        plan_serving(LLAMA_8B, asked.model_copy(update={"serving": serving}), load_catalog())
