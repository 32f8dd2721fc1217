"""The machine of a plan, and the certainty of its verdict."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_405B, LLAMA_VISION, OTHER, plan, recorded
from vertex_vllm.model.facts import ModelFacts


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
        # Fields of the config restrict the choice.
        (OTHER, {"accelerator_type": "NVIDIA_TESLA_A100"}, "a2-highgpu-1g", 1),
        (OTHER, {"accelerator_count": 4}, "g2-standard-48", 4),
        (OTHER, {"region": "us-east5"}, "g4-standard-48", 1),
        (OTHER, {"dtype": "float16", "machine_type": "g2-standard-32"}, "g2-standard-32", 1),
        (OTHER, {"extra_args": ["-tp", "2"], "machine_type": "g2-standard-48"}, "g2-standard-48", 2),
        (OTHER, {"extra_args": ["--pipeline-parallel-size=2"], "accelerator_count": 4}, "g2-standard-48", 2),
        # 9 heads on one accelerator, since 2, 4 and 8 do not divide them.
        (OTHER.reshaped(attention_heads=9, key_value_heads=3), {"max_model_len": 100_000}, "a2-highgpu-1g", 1),
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


def test_a_machine_that_is_only_probably_too_small_is_taken_with_a_warning() -> None:
    decided = plan(OTHER, machine_type="g2-standard-8", max_model_len=16384)
    assert decided.machine_type == "g2-standard-8"
    assert decided.reasons["machine_type"] == (
        "named in the deployment; it may be too small: its 32 GiB of host memory are fewer than 39: weights, 16 of "
        "shared memory and 8 for processes"
    )


def test_a_model_whose_shape_nobody_has_read_is_uncertain_and_judged_by_a_flat_rule() -> None:
    decided = plan(OTHER.reshaped(missing=("the model's shape",)))
    assert decided.reasons["memory"] == (
        "uncertain: the model's shape is not known; roughly 18.1 of 19.8 GiB of each accelerator: weights 15.3, cache "
        "for one full request 0.5, vLLM 2.3"
    )


def test_an_architecture_that_nobody_has_looked_at_is_uncertain() -> None:
    told = plan(OTHER.reshaped(architecture="FooForCausalLM")).reasons["memory"]
    assert told.startswith("uncertain: how FooForCausalLM uses memory is not known; roughly 18.1 of 19.8 GiB")
