"""The context of a plan whose config names none: the model's own where it fits, else the longest useful."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_8B, LLAMA_VISION, plan, recorded
from vertex_vllm.model.facts import ModelFacts

LLAMA_1B, LLAMA_3B = recorded("meta-llama/Llama-3.2-1B"), recorded("meta-llama/Llama-3.2-3B")
SMALL = recorded("HuggingFaceTB/SmolLM2-135M-Instruct")
UNKNOWN = replace(LLAMA_8B, shape=replace(LLAMA_8B.shape, architecture="NobodysForCausalLM"))


@pytest.mark.parametrize(
    ("facts", "parameters", "tokens", "requests", "reason"),
    [
        (SMALL, {}, 8192, 107, "all that the model takes"),
        (LLAMA_1B, {}, 131072, 4, "all that the model takes"),
        # One request of the model's own length fills most of the cache; shorter ones share it as before.
        (LLAMA_8B, {"machine_type": "g2-standard-24"}, 131072, 1, "all that the model takes"),
        (
            LLAMA_3B,
            {},
            28672,
            4,
            "the longest with room for 4 requests at once; a request by itself may have up to 114944: "
            "serving.max_model_len; the model takes 131072",
        ),
        (
            LLAMA_3B,
            {"concurrency": 2},
            57344,
            2,
            "the longest with room for 2 requests at once; a request by itself may have up to 114944: "
            "serving.max_model_len; the model takes 131072",
        ),
        (
            LLAMA_8B,
            {"machine_type": "g2-standard-12", "concurrency": 64},
            4096,
            5,
            "the cache has no room for 64 longer requests at once; a request by itself may have up to 23296: "
            "serving.max_model_len; the model takes 131072",
        ),
        (LLAMA_8B, {"max_model_len": 2048}, 2048, 11, "named in the deployment"),
        (LLAMA_8B, {"extra_args": ["--max-model-len=1k"]}, 1000, 23, "named in the deployment"),
        (
            LLAMA_VISION,
            {},
            4096,
            5,
            "as long as Google's tutorial has it: a prompt is computed in one step, and a long one takes memory and "
            "makes all other requests wait; the model takes 131072: set serving.max_model_len for more",
        ),
        (
            LLAMA_1B,
            {"extra_args": ["--no-enable-chunked-prefill"]},
            4096,
            131,
            "as long as Google's tutorial has it: a prompt is computed in one step, and a long one takes memory and "
            "makes all other requests wait; the model takes 131072: set serving.max_model_len for more",
        ),
        (
            replace(UNKNOWN, commit="c" * 40),
            {"machine_type": "a2-highgpu-1g"},
            4096,
            None,
            "as long as Google's tutorial has it: whether the cache holds a longer one is not known; the model takes "
            "131072: set serving.max_model_len for more",
        ),
    ],
)
def test_context_is_the_models_own_or_the_longest_useful(
    facts: ModelFacts, parameters: dict[str, Any], tokens: int, requests: int | None, reason: str
) -> None:
    decided = plan(facts, **parameters)
    assert (decided.max_model_len, decided.requests) == (tokens, requests)
    assert decided.reasons["max_model_len"] == reason
    if "extra_args" not in parameters:
        assert f"--max-model-len={tokens}" in decided.args


def test_the_machine_does_not_depend_on_the_context_that_it_is_given() -> None:
    """The plan takes no dearer machine for a longer context than the config asks for."""
    assert plan(LLAMA_8B).machine_type == plan(LLAMA_8B, max_model_len=4096).machine_type == "g2-standard-12"


def test_all_places_of_a_deployment_take_requests_of_the_same_length() -> None:
    decided = plan(LLAMA_8B, machine_type="g2-standard-24", fallbacks=["us-east4/g2-standard-12"])
    assert [each.max_model_len for each in (decided, *decided.fallbacks)] == [5632, 5632]
    assert decided.reasons["max_model_len"] == ("as long as in the deployment's other places; the model takes 131072")


def test_a_context_of_the_planners_choice_is_not_warned_of() -> None:
    """Further requests wait in vLLM's queue; the row says how many requests the cache holds."""
    decided = plan(LLAMA_8B, machine_type="g2-standard-24")
    assert decided.requests == 1
    assert not any("at once" in warning for warning in decided.warnings)
    named = plan(LLAMA_8B, machine_type="g2-standard-24", max_model_len=131072)
    assert any("holds 1 of 4 requests of 131072 tokens at once" in warning for warning in named.warnings)


def test_the_account_of_memory_names_the_same_longest_request() -> None:
    account = plan(LLAMA_8B).memory
    assert account is not None
    assert account.longest_context == 23296
