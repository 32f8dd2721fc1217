"""Values of arguments with which vLLM refuses to start on any machine."""

import json
from collections.abc import Mapping

from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import FLOAT_BYTES, ModelFacts

WHERE = "serving.extra_args"
_SPECULATION = "--speculative-config"
# `MaxLoRARanks` (config/lora.py of vLLM 0.32.0); adapters of a smaller rank are taken too.
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
# The attention kernels of CUDA take multiples of it alone ("Block size must be a multiple of 16").
BLOCK_STEP = 16
# Methods that need prepared weights; for a repo without them, vLLM 0.32.0 says "Cannot find the config file".
STORED = ("awq", "gptq", "compressed-tensors", "fbgemm_fp8")
# None of these can replace another: "Quantization method specified in the model config … does not match".
EXCLUSIVE = (*STORED, "fp8", "bitsandbytes")


# Formats of the weights with which attention refuses an e5m2 cache ("fp8_e5m2 kv-cache is not supported with fp8
# checkpoints", in attention/layer.py of 0.6.2 to 0.32.0).
_WITHOUT_E5M2 = ("fp8", "modelopt")


def check_values(
    facts: ModelFacts, quantization: str, lora_rank: int, block_tokens: int, kv_cache_dtype: str = "auto"
) -> None:
    """Raises PlanError for a value that no vLLM accepts; a value that some versions accept passes."""
    if kv_cache_dtype == "fp8_e5m2" and (facts.quantization or quantization) in _WITHOUT_E5M2:
        raise PlanError(
            f"--kv-cache-dtype=fp8_e5m2 may not be beside {facts.quantization or quantization} weights",
            where=WHERE,
            fix="Write --kv-cache-dtype=fp8_e4m3, or leave it out",
        )
    if lora_rank not in LORA_RANKS:
        larger = next((rank for rank in LORA_RANKS if rank > lora_rank), LORA_RANKS[-1])
        raise _refusal("--max-lora-rank", lora_rank, f"vLLM takes {', '.join(map(str, LORA_RANKS))}", f"{larger}")
    if block_tokens % BLOCK_STEP:
        rounded = max(BLOCK_STEP, block_tokens // BLOCK_STEP * BLOCK_STEP)
        raise _refusal("--block-size", block_tokens, f"GPUs take multiples of {BLOCK_STEP}", f"{rounded}")
    asked, stored = _method(quantization), _method(facts.quantization)
    if asked in STORED and not stored and _all_floats(facts):
        raise PlanError(
            f"--quantization={quantization} is for weights that are stored so, and those of {facts.model_id} are not",
            where=WHERE,
            fix="Leave it out, choose a repo with such weights, or --quantization=fp8, which is made while they load",
        )
    if asked != stored and asked in EXCLUSIVE and stored in EXCLUSIVE:
        raise PlanError(
            f"--quantization={quantization}, but the weights of {facts.model_id} are {facts.quantization}",
            where=WHERE,
            fix="Leave it out: vLLM reads the method from the repo",
        )


def check_set_up(given: Mapping[str, str]) -> None:
    """Raises PlanError for options that the parser accepts and the engine's set-up refuses, alone or together."""
    if "--lora-modules" in given and "--enable-lora" not in given:
        raise PlanError("--lora-modules needs --enable-lora beside it", where=WHERE, fix="Add --enable-lora")
    # `LoRAConfig`: "max_cpu_loras (…) must be >= max_loras (…)".
    on_gpu, on_cpu = given.get("--max-loras", "1"), given.get("--max-cpu-loras", "")
    if "--enable-lora" in given and on_cpu.isdecimal() and on_gpu.isdecimal() and int(on_cpu) < int(on_gpu):
        raise PlanError(
            f"--max-cpu-loras={on_cpu} is less than --max-loras={on_gpu}",
            where=WHERE,
            fix=f"Write --max-cpu-loras={on_gpu}",
        )
    if _SPECULATION in given:
        _check_speculation(given[_SPECULATION])


def _check_speculation(value: str) -> None:
    """`SpeculativeConfig.__post_init__`: a number of tokens wants a method or a model, and n-grams want the number."""
    try:
        told = json.loads(value)
    except (ValueError, RecursionError):
        return
    if not isinstance(told, dict):
        return
    if "num_speculative_tokens" in told and not {"model", "method"} & set(told):
        raise PlanError(
            f"{_SPECULATION} has num_speculative_tokens, and neither model nor method",
            where=WHERE,
            fix='Add "method": "ngram", or a model',
        )
    if told.get("method") == "ngram" and "num_speculative_tokens" not in told:
        raise PlanError(
            f"{_SPECULATION} has no num_speculative_tokens", where=WHERE, fix='Add "num_speculative_tokens": 3'
        )


def value_doubts(facts: ModelFacts, given: Mapping[str, str]) -> tuple[str, ...]:
    """Reasons for doubt about values."""
    asked = given.get("--quantization", "")
    if given.get("--kv-cache-dtype") == "fp8_e5m2" and facts.quantization == "compressed-tensors":
        return ("whether vLLM keeps an fp8_e5m2 cache beside compressed-tensors weights depends on the version",)
    if _method(asked) in STORED and not facts.quantization:
        return (f"whether the repo holds {asked} weights is not known",)
    return ()


def _method(quantization: str) -> str:
    """The method without the name of its kernel: `auto_gptq`, `gptq_marlin` and `gptq` are one method."""
    return quantization.removeprefix("auto_").removesuffix("_marlin")


def _all_floats(facts: ModelFacts) -> bool:
    """Whether the tensors' types are known, and none is packed."""
    return bool(facts.groups) and all(group.dtype in FLOAT_BYTES for group in facts.groups)


def _refusal(flag: str, value: int, takes: str, instead: str) -> PlanError:
    return PlanError(f"{flag} may not be {value}: {takes}", where=WHERE, fix=f"Write {flag}={instead}")
