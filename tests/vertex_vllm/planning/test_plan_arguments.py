"""Arguments of the container: those of the planner, of the config, for context and chat."""

from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_8B, LLAMA_405B, NEWEST, SERVE, START, plan
from vertex_vllm.model.facts import ModelFacts


@pytest.mark.parametrize(
    ("facts", "parameters", "args", "reason"),
    [
        (
            LLAMA_8B,
            {
                "extra_args": [
                    *("--max_num_seqs=64", "--no-enable-prefix-caching", "--enable-lora"),
                    *("--lora-modules", "a=gs://b", "c=d"),
                ]
            },
            (
                "--tensor-parallel-size=1",
                "--max-model-len=5376",
                "--gpu-memory-utilization=0.9",
                "--dtype=auto",
                "--max_num_seqs=64",
                "--no-enable-prefix-caching",
                "--enable-lora",
                "--lora-modules",
                "a=gs://b",
                "c=d",
            ),
            "as Model Garden starts vLLM; --max-num-seqs as the deployment's extra arguments say",
        ),
        (
            replace(LLAMA_8B, custom_code=True),
            {
                "trust_remote_code": True,
                "max_model_len": 2048,
                "max_num_seqs": 8,
                "dtype": "float16",
                "revision": "a" * 40,
            },
            (
                "--tensor-parallel-size=1",
                "--max-model-len=2048",
                "--gpu-memory-utilization=0.9",
                "--dtype=float16",
                "--max-num-seqs=8",
                "--trust-remote-code",
            ),
            "as Model Garden starts vLLM",
        ),
        (
            LLAMA_405B,
            {},
            (
                "--tensor-parallel-size=8",
                "--max-model-len=131072",
                "--gpu-memory-utilization=0.9",
                "--dtype=auto",
                "--max-num-seqs=256",
            ),
            "as Model Garden starts vLLM; --allow-deprecated-quantization left out: vLLM 0.11.0 to 0.13.0 may not "
            "have it",
        ),
        (
            LLAMA_405B,
            {"image": f"{SERVE}:{NEWEST}"},
            (
                "--tensor-parallel-size=8",
                "--max-model-len=131072",
                "--gpu-memory-utilization=0.9",
                "--dtype=auto",
                "--max-num-seqs=256",
                "--allow-deprecated-quantization",
            ),
            "as Model Garden starts vLLM; --allow-deprecated-quantization for this model",
        ),
        (
            LLAMA_8B,
            {"extra_args": ["--model-type=llama3.1"]},
            (
                "--tensor-parallel-size=1",
                "--max-model-len=5632",
                "--gpu-memory-utilization=0.9",
                "--dtype=auto",
                "--max-num-seqs=256",
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


@pytest.mark.parametrize(
    ("facts", "parameters", "length", "reason"),
    [
        (LLAMA_8B.reshaped(context_length=2048), {}, 2048, "all that the model takes"),
        (LLAMA_8B, {"max_model_len": 8192}, 8192, "named in the deployment"),
        (
            LLAMA_8B.reshaped(context_length=0),
            {},
            2048,
            "vLLM's own default: config.json gives no length",
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
