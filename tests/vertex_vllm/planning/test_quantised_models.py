"""Quantisation methods and formats of weights, by version of vLLM and card: refusals, and models that fit."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.model_repository import four_bit, repository, small, weights
from tests.vertex_vllm.planning import reported_models as models
from tests.vertex_vllm.planning.planned import NEWEST, OTHER, SERVE, plan
from tests.vertex_vllm.planning.reported_models import Files, check_refused, plain, planned
from tests.vertex_vllm.planning.test_more_reported_models import AWQ, GPTQ, compressed, packed, quantized

LLAMA = models.LLAMA_8B
L4, H100, RTX, T4 = (
    {"machine_type": name} for name in ("g2-standard-12", "a3-highgpu-1g", "g4-standard-48", "n1-standard-8")
)
NEW = {"image": f"{SERVE}:{NEWEST}"}
ANOTHER = "Choose a repository whose weights are not quantised"


def method(name: str) -> Files:
    return quantized(LLAMA, {"quant_method": name, "bits": 4, "group_size": 128}, "U8")


def modelopt(algorithm: str | None) -> Files:
    told = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": algorithm}}
    return (*plain(LLAMA, "F8_E4M3"), small("hf_quant_config.json", told))


REFUSED = [
    # "Unknown quantization method": of other programs, of older versions, of newer ones.
    (method("exl2"), L4, "vLLM 0.11.0 to 0.13.0 knows no quantisation method exl2", ANOTHER),
    (method("eetq"), L4, "knows no quantisation method eetq", ANOTHER),
    (method("aqlm"), L4, "knows no quantisation method aqlm", ANOTHER),
    (method("hqq"), {**L4, **NEW}, "knows no quantisation method hqq", "Name us-docker.pkg.dev"),
    (modelopt("MIXED_PRECISION"), H100, "knows no quantisation method modelopt_mixed", f"{NEWEST} in serving.image"),
    # ModelOpt-#261's kind: algorithms that the version's list does not have.
    (modelopt("W4A8_AWQ"), H100, "knows no modelopt weights of format W4A8_AWQ", ANOTHER),
    (modelopt("FP8_PB_WO"), H100, "knows no modelopt weights of format FP8_PB_WO", f"{NEWEST} in serving.image"),
    # AWQ of 3 or 8 bits, GPTQ of 5.
    (packed(LLAMA, {**AWQ, "bits": 3}), L4, "knows no awq weights of format w3", ANOTHER),
    (packed(LLAMA, {**AWQ, "bits": 8}), L4, "knows no awq weights of format w8", ANOTHER),
    (packed(LLAMA, {**GPTQ, "bits": 5}), L4, "knows no gptq weights of format w5", ANOTHER),
    # Formats that Marlin does not take stay with a kernel of float16 alone.
    (packed(LLAMA, {**GPTQ, "bits": 3}), L4, "gptq weights are computed in float16, not in bfloat16", "float16 would"),
    (packed(LLAMA, {**GPTQ, "sym": False}), L4, "gptq weights are computed in float16, not in bfloat16", "float16"),
    (
        packed(LLAMA, {**AWQ, "zero_point": False}),
        {**L4, "dtype": "bfloat16"},
        "awq weights are computed in float16",
        "serving.dtype: float16 would fit",
    ),
    # GPTQ packed for one kernel, which versions have dropped.
    (
        packed(LLAMA, {**GPTQ, "checkpoint_format": "marlin_24"}),
        L4,
        "gptq_marlin_24 weights are computed in float16, not in bfloat16",
        "serving.dtype: float16 would fit",
    ),
    (packed(LLAMA, {**GPTQ, "checkpoint_format": "marlin_24"}), {**L4, **NEW}, "method gptq_marlin_24", ""),
    (packed(LLAMA, {**GPTQ, "is_marlin_format": True}), L4, "knows no quantisation method marlin", ""),
    # vllm#20221, #54311: CUTLASS has no kernel of 8-bit integers for Blackwell. vllm#35439: W4A8 is for Hopper alone.
    (quantized(LLAMA, compressed("int", 8, None, dynamic=True), "I8"), RTX, "has no kernel of", "Take g2-standard-12"),
    (
        quantized(LLAMA, compressed("int", 8, None, dynamic=True), "I8"),
        {"machine_type": "a4-highgpu-8g"},
        "NVIDIA_B200 has compute capability 10.0, and vLLM has no kernel of compressed-tensors/w8a8_int8 from 10.0 on",
        "Take g2-standard-12",
    ),
    # A kernel that is forced on a card which it does not run on.
    (
        packed(LLAMA, AWQ),
        {**T4, "extra_args": ["--quantization=awq_marlin"]},
        "awq_marlin needs 8.0",
        "",
    ),
]


@pytest.mark.parametrize(
    ("files", "parameters", "message", "fix"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_vllm_refuses_and_so_does_the_plan(files: Files, parameters: dict[str, Any], message: str, fix: str) -> None:
    check_refused(files, parameters, message, fix)


FITS: list[tuple[Files, dict[str, Any]]] = [
    (method("hqq"), L4),
    (method("auto-round"), L4),
    (packed(LLAMA, {**GPTQ, "bits": 8}), L4),
    (packed(LLAMA, {**GPTQ, "bits": 3}), {**L4, "dtype": "float16"}),
    (packed(LLAMA, {"quant_method": "awq", "w_bit": 4, "q_group_size": 128, "zero_point": True}), L4),
    (modelopt("FP8"), H100),
    (quantized(LLAMA, compressed("int", 8, None, dynamic=True), "I8"), L4),
]


@pytest.mark.parametrize(("files", "parameters"), FITS, ids=str)
def test_vllm_serves_and_the_plan_says_that_it_fits(files: Files, parameters: dict[str, Any]) -> None:
    assert planned(files, **parameters).verdict == "fits"


def test_a_machine_is_chosen_whose_card_has_a_kernel() -> None:
    config = {**models.LLAMA_70B, "quantization_config": compressed("int", 8, None, dynamic=True)}
    decided = planned(plain(config, "I8"))
    assert decided.accelerator_type not in ("NVIDIA_B200", "NVIDIA_RTX_PRO_6000")


def test_of_an_image_of_unknown_version_a_method_is_a_doubt() -> None:
    own = "europe-docker.pkg.dev/acme/images/vllm:1"
    decided = plan(replace(OTHER, quantization="squeezed"), **L4, image=own)
    assert "knows no quantisation method squeezed" in decided.reasons["doubts"]


def test_a_format_that_some_versions_of_the_image_take_is_a_doubt() -> None:
    decided = planned(packed(LLAMA, {**GPTQ, "bits": 3}), **L4, **NEW, dtype="float16")
    told = "vLLM 0.22.0 to 0.26.0, which the image may have, knows no gptq weights of format w3"
    assert (decided.verdict, decided.reasons["doubts"]) == ("uncertain", told)


def test_modelopt_without_an_algorithm_is_a_doubt() -> None:
    decided = planned(modelopt(None), **H100)
    assert (decided.verdict, decided.reasons["doubts"]) == (
        "uncertain",
        "hf_quant_config.json does not name ModelOpt's algorithm (quant_algo)",
    )


@pytest.mark.parametrize(
    ("file", "told", "expected"),
    [
        ("quantize_config.json", {"bits": 4, "group_size": 128, "desc_act": False}, "--quantization=gptq"),
        ("quant_config.json", {"w_bit": 4, "q_group_size": 128, "zero_point": True}, "--quantization=awq"),
    ],
)
def test_a_method_that_a_file_beside_config_json_names_needs_its_flag(
    file: str, told: dict[str, Any], expected: str
) -> None:
    files = repository(LLAMA, weights(four_bit(LLAMA)), small(file, told))
    decided = planned(files, **L4)
    assert (decided.verdict, expected in decided.args) == ("fits", True)
