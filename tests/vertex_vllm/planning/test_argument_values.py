"""The plan refuses values with which vLLM does not start, and names an accepted one."""

from dataclasses import replace

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_405B, OTHER, plan
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts, TensorGroup

FLOATS = replace(OTHER, groups=(TensorGroup("attention", "BF16", 8_030_000_000, 16_060_000_000),))
GPTQ = replace(OTHER, quantization="gptq", weight_bytes=6_000_000_000)


@pytest.mark.parametrize(
    ("facts", "argument", "message", "fix"),
    [
        (OTHER, "--max-lora-rank=24", "may not be 24: vLLM takes 1, 8, 16", "--max-lora-rank=32"),
        (OTHER, "--max-lora-rank=1024", "may not be 1024", "--max-lora-rank=512"),
        (OTHER, "--block-size=7", "may not be 7: GPUs take multiples of 16", "--block-size=16"),
        (OTHER, "--block-size=40", "may not be 40", "--block-size=32"),
        (FLOATS, "--quantization=awq", "is for weights that are stored so", "--quantization=fp8"),
        (FLOATS, "--quantization=gptq_marlin", "is for weights that are stored so", "--quantization=fp8"),
        (GPTQ, "--quantization=fp8", "the weights of someone/something are gptq", "Leave it out"),
        (LLAMA_405B, "--quantization=awq", "are fbgemm_fp8", "Leave it out"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.quantization or "plain",
)
def test_a_value_that_vllm_refuses(facts: ModelFacts, argument: str, message: str, fix: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan(facts, extra_args=[argument])
    assert refused.value.where == "serving.extra_args"
    assert message in refused.value.message
    assert fix in refused.value.fix


@pytest.mark.parametrize(
    ("facts", "argument"),
    [
        (OTHER, "--max-lora-rank=64"),
        (OTHER, "--block-size=32"),
        (FLOATS, "--quantization=fp8"),
        (GPTQ, "--quantization=gptq_marlin"),
        (GPTQ, "--quantization=moe_wna16"),
    ],
)
def test_a_value_that_vllm_takes(facts: ModelFacts, argument: str) -> None:
    assert argument in plan(facts, extra_args=[argument]).args


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("--quantization=awq", "whether the repo holds awq weights is not known"),
        ("--load-format=bitsandbytes", "--load-format changes the weights' form, with some formats"),
    ],
)
def test_what_nobody_has_read_is_uncertain(argument: str, reason: str) -> None:
    decided = plan(OTHER, machine_type="g2-standard-12", extra_args=[argument])
    assert decided.verdict == "uncertain"
    assert reason in decided.reasons["memory"]


@pytest.mark.parametrize("parameters", [{"extra_args": ["--max-num-batched-tokens=128"]}, {"max_num_seqs": 4096}])
def test_a_step_that_holds_less_than_a_token_a_sequence_is_refused(parameters: dict[str, object]) -> None:
    """A step on an L4 has 2048 tokens by default."""
    with pytest.raises(PlanError, match=r"a step of (128|2048) tokens .* less than max_num_seqs (256|4096)"):
        plan(OTHER, machine_type="g2-standard-12", **parameters)
