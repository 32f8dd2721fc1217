"""Objections to a machine: accelerator, image, split, memory of the accelerators and of the host, quota."""

from collections.abc import Iterator
from dataclasses import dataclass

from vertex_vllm.catalog.rows import Machine
from vertex_vllm.model.facts import FLOAT_BYTES, ModelFacts
from vertex_vllm.model.transformer import defaults_of
from vertex_vllm.planning.machine_memory import would_fit
from vertex_vllm.planning.requirements import Requirements
from vertex_vllm.planning.size_rule import host_shortage, memory_budget, memory_need

# `MLACommonImpl` (v1/attention/backends/mla/common.py of 0.11.0) calls vLLM's FlashAttention 2, which needs Ampere.
LATENT_CAPABILITY = (8, 0)


@dataclass(frozen=True)
class Objection:
    """Why a machine should not serve the model."""

    text: str
    certain: bool
    """True: vLLM would not start. False: the size rule's margins advise against the machine."""
    fix: str = ""
    """The remedy where no other machine fits either."""
    memory: bool = False
    """Found by the memory model, which can say what would fit."""
    split: bool = False
    """The machine has too few accelerators for the arguments, so its memory cannot be estimated."""
    size: bool = True
    """About room; otherwise about what the accelerator computes, or how the model is split."""


def objections(machine: Machine, required: Requirements) -> Iterator[Objection]:
    """The reasons against a machine."""
    yield from _accelerator_objections(machine, required)
    split = required.tensor_parallel(machine)
    if split == 0 or split * required.settings.other_parallelism > machine.count:
        asked = max(1, split) * required.settings.other_parallelism
        yield Objection(
            f"it has {machine.count} accelerators, and the arguments ask for {asked}",
            certain=True,
            fix="Ask for as many as the machine has, or leave --tensor-parallel-size, --pipeline-parallel-size and "
            "--data-parallel-size out",
            split=True,
        )
        return
    yield from _split_objections(split, required)
    yield from _group_objections(split, required.facts, required.settings.expert_parallel)
    yield from _memory_objections(machine, split, required)
    shortage = host_shortage(required.facts, machine)
    if shortage:
        yield Objection(shortage, certain=False)


def quota_shortage(machine: Machine, required: Requirements) -> str:
    """Why quota does not cover the accelerators of the fewest replicas; empty where it does."""
    headroom, need = required.headroom(machine), machine.count * required.deployment.serving.min_replica_count
    if headroom is None or headroom.left is None or headroom.left >= need:
        return ""
    return f"quota: {headroom} {machine.accelerator} in {required.region}, where {need} are needed"


def _accelerator_objections(machine: Machine, required: Requirements) -> Iterator[Objection]:
    accelerator, image = required.accelerator(machine), required.image
    for refusal in required.formats.refusals(accelerator):
        yield Objection(refusal.text, refusal.certain, size=False)
    if required.facts.shape.latent_size and accelerator.capability < LATENT_CAPABILITY:
        needs = ".".join(map(str, LATENT_CAPABILITY))
        yield Objection(
            f"{accelerator.accelerator} has compute capability {accelerator.compute_capability}, and prompts of latent "
            f"attention are computed by FlashAttention, which needs {needs}",
            certain=False,
            size=False,
        )
    since = accelerator.vllm_since
    if since and image.versions is not None and not image.versions.all_since(since):
        yield Objection(
            f"{accelerator.accelerator} needs vLLM {since} or later, the image has {image.vllm}", certain=True
        )


def _split_objections(split: int, required: Requirements) -> Iterator[Objection]:
    facts = required.facts
    method = required.catalog.quantizations.get(facts.quantization)
    if split > 1 and method is not None and not method.splits:
        yield Objection(f"stored {facts.quantization} weights are not split: vLLM takes them on one accelerator", True)
    heads, shared = facts.shape.attention_heads, facts.shape.key_value_heads
    if heads and heads % split:
        yield _unsplit(f"{heads} attention heads", split, facts)
    elif shared and shared % split and split % shared:
        yield _unsplit(f"{shared} key-value heads", split, facts)
    else:
        # `divide` in distributed/utils.py: an assertion.
        torn = next((width for width in _widths(facts) if width % split), 0)
        if torn:
            yield _unsplit(f"{torn} wide feed-forward layers", split, facts)


def _widths(facts: ModelFacts) -> tuple[int, ...]:
    """Widths of the feed-forward layers that the model surely has; empty for an architecture whose layers are
    unknown."""
    shape = facts.shape
    if defaults_of(shape.architecture) is None:
        return ()
    dense = shape.intermediate_size if not shape.experts or shape.dense_layers else 0
    return (dense,) if dense else ()


def _unsplit(what: str, split: int, facts: ModelFacts) -> Objection:
    heads, shared = facts.shape.attention_heads, facts.shape.key_value_heads
    possible = (
        count
        for count in range(split - 1, 0, -1)
        if heads % count == 0
        and (not shared or shared % count == 0 or count % shared == 0)
        and not any(width % count for width in _widths(facts))
    )
    fewer = next(possible, 1)
    return Objection(
        f"{what} cannot be split over {split} accelerators",
        certain=True,
        fix=f"Write --tensor-parallel-size={fewer} in serving.extra_args",
        size=False,
    )


# Methods whose dense layers vLLM refuses to load with a torn group: AWQLinearMethod ("The input size is not aligned
# with the quantized weight shape"), CompressedTensorsWNA16 (an assertion), `validate_fp8_block_shape`. Of GPTQ's, and
# of experts, another kernel may take it.
_WHOLE_GROUPS = ("awq", "awq_marlin", "compressed-tensors", "fp8")


def _group_objections(split: int, facts: ModelFacts, whole_experts: bool) -> Iterator[Objection]:
    """Objections to layers whose share on one accelerator would split a group of weights with a common scale."""
    shape = facts.shape
    if not shape.weight_group or split == 1:
        return
    stored = {group.dtype for group in facts.groups if group.group == "attention"}
    packed = bool(stored - set(FLOAT_BYTES)) and not shape.latent_size
    attention = facts.shape.attention_heads * facts.shape.head_size if packed else 0
    keys = facts.shape.key_value_heads * facts.shape.head_size if facts.quantization == "fp8" and attention else 0
    # With fewer key-value heads than accelerators, each accelerator has a whole one.
    key_split = min(split, max(1, facts.shape.key_value_heads))
    for width, parts, dense in (
        # No layer of a model that has only experts uses the dense width in its config.
        (shape.intermediate_size if not shape.experts or shape.dense_layers else 0, split, True),
        (0 if whole_experts else shape.expert_intermediate_size, split, False),
        (attention, split, True),
        (keys, key_split, True),
    ):
        if width and width % (parts * shape.weight_group):
            yield Objection(
                f"{width} wide {facts.quantization} layers in groups of {shape.weight_group} cannot be split over "
                f"{parts} accelerators",
                certain=facts.quantization == "fp8" or (dense and facts.quantization in _WHOLE_GROUPS),
                fix="" if dense else "Add --enable-expert-parallel to serving.extra_args: experts stay whole",
                size=False,
            )
            return


def _memory_objections(machine: Machine, split: int, required: Requirements) -> Iterator[Objection]:
    estimate = required.memory(machine)
    if estimate.conclusive:
        # Features that the memory model does not cover produce a note, never an objection.
        if estimate.verdict != "fits" and set(estimate.reasons) - set(estimate.start.unmodelled):
            certain = estimate.verdict == "does not fit"
            yield Objection("; ".join(estimate.reasons), certain=certain, memory=True)
        return
    need = memory_need(required.facts, required.settings, split, required.dtype(machine))
    budget = memory_budget(required.accelerator(machine), required.settings)
    # Without the shape what a token takes is not known: the weights alone are a lower bound.
    bound = need.certain - need.cache
    if bound > budget:
        text = f"{bound:.1f} GiB of weights on each accelerator, where vLLM may use {budget:.1f}"
        yield Objection(text, certain=True)
    elif need.total > budget:
        yield Objection(
            f"about {need.total:.1f} GiB of each accelerator are needed ({need}), vLLM may use {budget:.1f}",
            certain=False,
        )


def fixes(objection: Objection, machine: Machine, required: Requirements) -> str:
    """Change of the config that would make the model fit on this machine; empty where there is none."""
    estimate = required.memory(machine) if objection.memory else None
    return would_fit(estimate) if estimate else ""
