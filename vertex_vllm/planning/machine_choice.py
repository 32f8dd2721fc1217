"""Chooses the machine: the one that the deployment names, or the cheapest with room for the requests asked for."""

from dataclasses import dataclass, replace

from vertex_vllm.catalog.rows import Accelerator, Machine, Preset
from vertex_vllm.errors import PlanError
from vertex_vllm.planning.context import Context, context_on
from vertex_vllm.planning.machine_memory import describe
from vertex_vllm.planning.memory.estimate import MemoryEstimate
from vertex_vllm.planning.objections import Objection, fixes, objections, quota_shortage
from vertex_vllm.planning.offers import CROWDED, WITHOUT_QUOTA, Offer, Ranked, alternatives, ranked_offers
from vertex_vllm.planning.requirements import Requirements
from vertex_vllm.planning.size_rule import memory_budget, memory_need
from vertex_vllm.planning.suggestions import NOTHING_ELSE, UNCERTAIN, changes, dtype_instead, instead

WHERE = "serving.machine_type"


@dataclass(frozen=True)
class MachineChoice:
    machine: Machine
    accelerator: Accelerator
    tensor_parallel: int
    reason: str
    memory: MemoryEstimate
    memory_reason: str
    offer: Offer
    alternatives: tuple[Offer, ...]
    context: Context
    room: int | None
    """Requests of the length that machines are compared with that its cache surely holds at once; None: not known."""
    objections: tuple[Objection, ...] = ()
    """Doubts about the machine, none of them certain."""


def choose_machine(required: Requirements, preset: Preset | None, longest: int = 0) -> MachineChoice:
    """The machine to serve on, and the context there.

    `longest` is the longest context in tokens of the deployment's other places; 0: there are none. Raises
    PlanError where the named machine cannot serve, or none can, and says what would help.
    """
    named = required.deployment.serving.machine_type
    if named:
        return _check_named(required.catalog.machines[named], required, preset, longest)
    if not required.facts.weight_bytes:
        raise PlanError(
            f"the size of {required.facts.model_id} is not known: it has no safetensors weights",
            where="model.id",
            fix=f"Name a machine in {WHERE}, or choose a repo with safetensors",
        )
    offers = ranked_offers(required, preset)
    if not offers or not offers[0].serves:
        raise _nothing_fits(required, offers, preset)
    # A crowded machine whose cost is known before a roomy one whose cost is not.
    best = next((ranked for ranked in offers if ranked.serves and ranked.machine.price(required.spot)), None)
    if best is None:
        raise PlanError(
            f"of the machines in {required.region} only {offers[0].machine.machine} and the like fit "
            f"{required.facts.model_id}, and what they cost is not known{_not_tutorials(offers, required, preset)}",
            where="serving",
            fix=f"Name one in {WHERE} to take it at any price, or choose another region",
        )
    tutorials = "" if best.offer.tutorial else _not_tutorials(offers, required, preset)
    return _chosen(best, offers, required, _why(best, required) + tutorials, longest)


def _why(best: Ranked, required: Requirements) -> str:
    price, region = best.machine.price(required.spot), required.region
    kind = "spot" if required.spot else "list"
    held = "" if best.room is None else f" with room for {required.full_requests}"
    if best.rank == CROWDED:
        held = f", though its cache has room for {best.room} of {required.full_requests}"
    assert price is not None
    tutorials = "what Google's tutorial serves this model on, and " if best.offer.tutorial else ""
    return (
        f"{tutorials}the cheapest in {region} that fits{held} ({price:.2f} USD/h, Compute Engine's {kind} price in "
        "us-central1)"
    )


def _not_tutorials(offers: tuple[Ranked, ...], required: Requirements, preset: Preset | None) -> str:
    """Why not the tutorial's machine, and what would make it fit; empty where the tutorial names none."""
    if preset is None:
        return ""
    found = next((ranked for ranked in offers if ranked.offer.tutorial), None)
    if found is None:
        return f"; the tutorial's {preset.machine} is not possible here"
    refused = next((objection for objection in found.objections if objection.certain), None)
    if refused is None:
        price = found.machine.price(required.spot)
        cost = "whose cost is not known" if price is None else f"at {price:.2f} USD/h"
        return f"; Google's tutorial serves it on {preset.machine}, {cost}"
    fitting = fixes(refused, found.machine, required)
    return f"; not the tutorial's {preset.machine}: {refused.text}{f', {fitting} would fit' if fitting else ''}"


def _check_named(machine: Machine, required: Requirements, preset: Preset | None, longest: int) -> MachineChoice:
    refused = next((objection for objection in objections(machine, required) if objection.certain), None)
    offers = ranked_offers(required.without_machine(), preset)
    if refused:
        other = instead(offers, required)
        if other == NOTHING_ELSE and refused.fix:
            other = refused.fix
        fitting = fixes(refused, machine, required)
        here = f"{fitting} would fit" if fitting else dtype_instead(machine, required)
        if here and (other == NOTHING_ELSE or UNCERTAIN in other):
            other = here
        elif here:
            other = f"{here}; or {other[0].lower()}{other[1:]}"
        raise PlanError(
            f"{machine.machine} cannot serve {required.facts.model_id}: {refused.text}", where=WHERE, fix=other
        )
    taken = next(ranked for ranked in offers if ranked.machine == machine)
    return _chosen(taken, offers, required, "named in the deployment", longest, named=True)


def _chosen(
    taken: Ranked, offers: tuple[Ranked, ...], required: Requirements, why: str, longest: int, named: bool = False
) -> MachineChoice:
    machine = taken.machine
    accelerator, split = required.accelerator(machine), required.tensor_parallel(machine)
    context = context_on(machine, required, longest)
    served = required.with_context(context.tokens)
    memory = served.memory(machine)
    reasons = [why]
    if named and taken.rank == CROWDED:
        reasons.append(f"its cache has room for {taken.room} of {required.full_requests}")
    if taken.rank == WITHOUT_QUOTA:
        reasons.append(quota_shortage(machine, required))
    for objection in taken.objections:
        doubt = "it may be too small" if objection.size else "vLLM may refuse it"
        reasons.append(f"{doubt}: {objection.text}{_would(objection, machine, required)}")
    if required.facts.quantization not in ("", *required.catalog.quantizations):
        reasons.append(f"whether it can compute {required.facts.quantization} is not known to the catalogue")
    if machine.recommended_regions and required.region not in machine.recommended_regions:
        reasons.append(f"Google names it for {', '.join(machine.recommended_regions)}, not for {required.region}")
    computed = required.dtype(machine)
    if required.settings.dtype == "auto" and computed != required.facts.dtype:
        reasons.append(f"vLLM computes the model in {computed} there, which is not its own {required.facts.dtype}")
    idle = machine.count - split * required.settings.other_parallelism
    if idle:
        reasons.append(f"{idle} of its {machine.count} accelerators stay idle")
    others = alternatives(offers, machine, required, named)
    return MachineChoice(
        machine=machine,
        accelerator=accelerator,
        tensor_parallel=split,
        reason="; ".join(reasons),
        memory=memory,
        memory_reason=_memory_reason(memory, split, machine, served),
        offer=replace(taken.offer, requests=context.requests, max_model_len=context.tokens),
        alternatives=others,
        context=context,
        room=taken.room,
        objections=taken.objections,
    )


def _would(objection: Objection, machine: Machine, required: Requirements) -> str:
    fitting = fixes(objection, machine, required)
    return f", {fitting} would fit" if fitting else ""


def _memory_reason(memory: MemoryEstimate, split: int, machine: Machine, required: Requirements) -> str:
    """The verdict and its terms; the size rule's where the model's shape is not fully known."""
    if memory.conclusive:
        return describe(memory)
    unknown = "; ".join(memory.reasons)
    if not required.facts.weight_bytes:
        return f"uncertain: {unknown}"
    need = memory_need(required.facts, required.settings, split, required.dtype(machine))
    budget = memory_budget(required.accelerator(machine), required.settings)
    return f"uncertain: {unknown}; roughly {need.total:.1f} of {budget:.1f} GiB of each accelerator: {need}"


def _may_be(ranked: Ranked) -> str:
    return "may be too small" if ranked.objections[0].size else "may be refused by vLLM"


def _nothing_fits(required: Requirements, offers: tuple[Ranked, ...], preset: Preset | None) -> PlanError:
    facts = required.facts
    if not offers:
        serving = required.deployment.serving
        wanted = f"{serving.accelerator_count or 'any number of'} × {serving.accelerator_type or 'any accelerator'}"
        return PlanError(f"no machine in {required.region} has {wanted}", where="serving", fix="Leave one of them out")
    largest = max(offers, key=lambda ranked: ranked.machine.count * required.accelerator(ranked.machine).visible_gib)
    name, region = largest.machine.machine, required.region
    told = f"{largest.objections[0].text}{_not_tutorials(offers, required, preset)}"
    if not any(objection.certain for objection in largest.objections):
        return PlanError(
            f"no machine in {region} surely fits {facts.model_id}; the largest, {name}, {_may_be(largest)}: {told}",
            where="serving",
            fix=f"Name {name} in {WHERE} to try it all the same. {changes(required, preset)}",
        )
    return PlanError(
        f"no machine in {region} fits {facts.model_id}; the largest, {name}: {told}",
        where="serving",
        fix=changes(required, preset),
    )
