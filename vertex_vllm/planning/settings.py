"""Settings of vLLM, from the deployment's fields, its extra arguments and a preset."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from vertex_vllm.catalog.rows import Preset
from vertex_vllm.config.deployment import Serving
from vertex_vllm.errors import PlanError
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.argument_values import check_set_up, check_values, value_doubts
from vertex_vllm.planning.command_line import WHERE, Argument, effective_values
from vertex_vllm.planning.memory.overhead import MLLAMA
from vertex_vllm.planning.memory.start import BLOCK_TOKENS
from vertex_vllm.planning.memory.unmodelled import speculation_method, unmodelled_arguments

# Google's tutorial: --max-model-len=4096; --max-num-seqs=256 for text and 12 for images, where 256 ran out of memory.
# Machines are compared with this length where the config names none; `context` lengthens it on the chosen machine.
DEFAULT_MODEL_LENGTH = 4096
# vLLM `_get_and_verify_max_len`: of a model whose config.json gives no length.
UNTOLD_LENGTH = 2048
FITTED_LENGTHS = ("auto", "-1")
DEFAULT_SEQUENCES = 256
DEFAULT_SEQUENCES_VISION = 12
# As in the config: above 0.9963 an empty H200 refused to start vLLM.
MOST_MEMORY = 0.99
# `LoRAConfig`, max_loras and max_lora_rank.
DEFAULT_LORAS, DEFAULT_LORA_RANK = 1, 16

Number = TypeVar("Number", int, float)
_UNITS = {
    **{letter: 1000**power for power, letter in enumerate("kmgt", 1)},
    **{letter: 1024**power for power, letter in enumerate("KMGT", 1)},
}


@dataclass(frozen=True)
class Settings:
    """Settings that decide which machine is enough."""

    max_model_len: int
    """Tokens; the length that machines are compared with until `context` has lengthened it."""
    max_num_seqs: int
    gpu_memory_utilization: float
    dtype: str
    trust_remote_code: bool
    tensor_parallel_size: int
    """0: as many as the machine has accelerators."""
    other_parallelism: int
    """Pipeline-parallel stages × data-parallel copies."""
    pipeline_parallel_size: int
    max_num_batched_tokens: int = 0
    """0: vLLM's default for the card."""
    kv_cache_dtype: str = "auto"
    enforce_eager: bool = False
    quantization: str = ""
    """Method that vLLM applies while it loads unquantised weights; empty: none."""
    block_tokens: int = BLOCK_TOKENS
    loras: int = 0
    """Adapters on the GPU at once; 0: LoRA is off."""
    lora_rank: int = DEFAULT_LORA_RANK
    speculation: str = ""
    """Method of speculative decoding."""
    unmodelled: tuple[str, ...] = ()
    """Arguments that the memory model does not know, and all other doubts: reasons for an uncertain verdict."""
    tools: bool = False
    """The config asks for tool calls."""
    expert_parallel: bool = False
    """Experts are spread over the accelerators whole, instead of each being split."""
    media_domains: tuple[str, ...] = ()
    """Hosts that requests may name pictures on; empty: any."""
    doubts: tuple[str, ...] = ()
    """Those of the doubts that are not about memory."""
    longest_model_len: int = 0
    """Tokens up to which `context` may raise `max_model_len`; 0: the config names the length."""
    chunked: bool = True
    """vLLM may compute a prompt in several steps."""


def settle(facts: ModelFacts, serving: Serving, preset: Preset | None, extra: Iterable[Argument]) -> Settings:
    """The settings: extra arguments before fields, fields before the preset, the preset before the defaults.

    Raises PlanError for a malformed number, a value that vLLM refuses, and a context longer than the model's.
    """
    given = effective_values(extra)
    preset_sequences = preset.max_num_seqs if preset else None
    sequences = serving.max_num_seqs or preset_sequences or _default_sequences(facts)
    own = facts.context_length or UNTOLD_LENGTH
    length = serving.max_model_len or min(DEFAULT_MODEL_LENGTH, own)
    named = bool(serving.max_model_len) or "--max-model-len" in given
    fitted = given.get("--max-model-len") in FITTED_LENGTHS
    pipeline_stages = _number(given, "--pipeline-parallel-size", 1, int)
    settings = Settings(
        max_model_len=facts.context_length or length if fitted else _number(given, "--max-model-len", length, int),
        max_num_seqs=_number(given, "--max-num-seqs", sequences, int),
        gpu_memory_utilization=_number(given, "--gpu-memory-utilization", serving.gpu_memory_utilization, float),
        dtype=given.get("--dtype", serving.dtype),
        trust_remote_code=serving.trust_remote_code or "--trust-remote-code" in given,
        tensor_parallel_size=_number(given, "--tensor-parallel-size", 0, int),
        other_parallelism=pipeline_stages * _number(given, "--data-parallel-size", 1, int),
        pipeline_parallel_size=pipeline_stages,
        max_num_batched_tokens=_number(given, "--max-num-batched-tokens", 0, int),
        kv_cache_dtype=given.get("--kv-cache-dtype", "auto"),
        enforce_eager="--enforce-eager" in given or bool(preset and "--enforce-eager" in preset.args),
        quantization=given.get("--quantization", ""),
        block_tokens=_number(given, "--block-size", BLOCK_TOKENS, int),
        loras=_number(given, "--max-loras", DEFAULT_LORAS, int) if "--enable-lora" in given else 0,
        lora_rank=_number(given, "--max-lora-rank", DEFAULT_LORA_RANK, int),
        speculation=speculation_method(given),
        tools=serving.tools,
        expert_parallel="--enable-expert-parallel" in given,
        media_domains=tuple(serving.media_domains),
        unmodelled=(
            *unmodelled_arguments(given),
            *value_doubts(facts, given),
            *(("vLLM takes as long a context as fits: --max-model-len=auto",) if fitted else ()),
        ),
        longest_model_len=0 if named else own,
        # Encoder-decoder models have no chunked prefill.
        chunked="--no-enable-chunked-prefill" not in given and facts.architecture != MLLAMA,
    )
    check_set_up(given)
    check_values(facts, settings.quantization, settings.lora_rank, settings.block_tokens, settings.kv_cache_dtype)
    _check_step(settings, given)
    if settings.gpu_memory_utilization > MOST_MEMORY:
        raise PlanError(
            f"--gpu-memory-utilization must be at most {MOST_MEMORY}, not {settings.gpu_memory_utilization:g}",
            where=WHERE,
            fix="Leave it out: serving.gpu_memory_utilization is for this",
        )
    if facts.context_length and settings.max_model_len > facts.context_length:
        where = WHERE if "--max-model-len" in given else "serving.max_model_len"
        raise PlanError(
            f"{facts.model_id} takes at most {facts.context_length} tokens, not {settings.max_model_len}",
            where=where,
            fix=f"Ask for {facts.context_length} or fewer; vLLM refuses to start with more, unless "
            "--hf-overrides gives a rope_scaling, which the model's card may name",
        )
    return settings


def _check_step(settings: Settings, given: Mapping[str, str]) -> None:
    """Raises PlanError for a step with fewer tokens than a prompt may have, if prompts are not chunked.

    vLLM `SchedulerConfig.verify_max_model_len`. An old version on the V1 engine always chunks prompts.
    """
    tokens = settings.max_num_batched_tokens
    if "--no-enable-chunked-prefill" in given and 0 < tokens < settings.max_model_len:
        raise PlanError(
            f"a step of {tokens} tokens (--max-num-batched-tokens) is less than max_model_len "
            f"{settings.max_model_len}, and prompts are not chunked",
            where=WHERE,
            fix=f"Ask for {settings.max_model_len} or more, or leave --no-enable-chunked-prefill out",
        )


def _default_sequences(facts: ModelFacts) -> int:
    return DEFAULT_SEQUENCES_VISION if facts.vision else DEFAULT_SEQUENCES


def _number(given: Mapping[str, str], flag: str, otherwise: Number, form: Callable[[str | float], Number]) -> Number:
    """The number of a flag, else `otherwise`. It may have a unit: `4k` is 4000, `4K` is 4096 (`human_readable_int`)."""
    if flag not in given:
        return otherwise
    written = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?)([kmgtKMGT]?)", given[flag])
    try:
        number = form(float(written[1]) * _UNITS[written[2]]) if written and written[2] else form(given[flag])
    except ValueError:
        number = None
    if not number or not 0 < number < math.inf:
        kind = "whole number" if form is int else "number"
        raise PlanError(f"{flag} must be a {kind} above 0, not {given[flag]!r}", where=WHERE, fix="Write it in digits")
    return number
