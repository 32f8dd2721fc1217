"""Which machine: the preset's or the cheapest that fits by the size rule, or the one that the deployment names."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from vertex_vllm.catalog import Catalog
from vertex_vllm.catalog.rows import Accelerator, Machine, Preset
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.errors import PlanError
from vertex_vllm.planning.facts import ModelFacts
from vertex_vllm.planning.images import ImageChoice
from vertex_vllm.planning.machine_memory import describe, estimate_on, would_fit
from vertex_vllm.planning.memory.estimate import MemoryEstimate
from vertex_vllm.planning.settings import Settings
from vertex_vllm.planning.size_rule import effective_dtype, host_shortage, memory_budget, memory_need

# CUDA compute capability that bfloat16 needs: vLLM refuses to start below it (platforms/cuda.py, "Bfloat16 is only …").
BFLOAT16_CAPABILITY = (8, 0)
WHERE = "serving.machine_type"


@dataclass(frozen=True)
class Objection:
    """Why a machine should not serve the model."""

    text: str
    certain: bool
    """vLLM would not start. Otherwise the size rule's margins advise against it."""
    fix: str = ""
    memory: bool = False
    """Found by the memory model, which can say what would fit."""


@dataclass(frozen=True)
class Requirements:
    """All that the choice of a machine depends on."""

    facts: ModelFacts
    settings: Settings
    image: ImageChoice
    deployment: Deployment
    catalog: Catalog

    @property
    def region(self) -> str:
        return self.deployment.google_cloud.region

    def accelerator(self, machine: Machine) -> Accelerator:
        return self.catalog.accelerators[machine.accelerator]

    def memory(self, machine: Machine) -> MemoryEstimate | None:
        """On one accelerator; None where the model's shape is not known."""
        split = self.tensor_parallel(machine)
        return estimate_on(machine, self.accelerator(machine), split, self.facts, self.settings, self.image)

    def tensor_parallel(self, machine: Machine) -> int:
        """Accelerators that share each layer; 0: the machine has too few for the other kinds of parallelism."""
        return self.settings.tensor_parallel_size or machine.count // self.settings.other_parallelism

    def fitting(self) -> Iterator[Machine]:
        """Machines of the region that nothing speaks against, the cheapest first, those without a known price last."""
        spot = self.deployment.serving.spot
        ranked = sorted(
            self.candidates(self.region),
            key=lambda machine: (
                machine.price(spot) is None,
                machine.price(spot) or 0.0,
                machine.count * self.accelerator(machine).memory_gb,
            ),
        )
        return (machine for machine in ranked if not any(objections(machine, self)))

    def candidates(self, region: str) -> Iterator[Machine]:
        """Machines that the deployment leaves to choose from."""
        serving = self.deployment.serving
        for machine in self.catalog.machines_in(region):
            of_type = serving.accelerator_type in ("", machine.accelerator)
            if of_type and serving.accelerator_count in (0, machine.count):
                yield machine


@dataclass(frozen=True)
class MachineChoice:
    machine: Machine
    accelerator: Accelerator
    tensor_parallel: int
    reason: str
    memory: MemoryEstimate | None
    """None: the model's shape is not known."""
    memory_reason: str


def choose_machine(required: Requirements, preset: Preset | None) -> MachineChoice:
    """The machine to serve on. Raises PlanError where the named one cannot, or none can, and says what would help."""
    named = required.deployment.serving.machine_type
    if named:
        return _check_named(required.catalog.machines[named], required, preset)
    if not required.facts.weight_bytes:
        raise PlanError(
            f"the size of {required.facts.model_id} is not known: it has no safetensors weights",
            where="model.id",
            fix=f"Name a machine in {WHERE}, or choose a repo with safetensors",
        )
    if preset and _preset_serves(preset, required):
        machine = required.catalog.machines[preset.machine]
        return _chosen(machine, required, "what Google's tutorial serves this model on")
    cheapest = next(required.fitting(), None)
    if cheapest is None:
        raise _nothing_fits(required)
    price = cheapest.price(required.deployment.serving.spot)
    if price is None:
        raise PlanError(
            f"of the machines in {required.region} only {cheapest.machine} and the like fit {required.facts.model_id}, "
            f"and what they cost is not known{_not_preset(preset, required)}",
            where="serving",
            fix=f"Name one in {WHERE} to take it whatever it costs, or choose another region",
        )
    kind = "spot" if required.deployment.serving.spot else "list"
    why = f"cheapest in {required.region} that fits ({price:.2f} USD/h, Compute Engine's {kind} price in us-central1)"
    return _chosen(cheapest, required, why + _not_preset(preset, required))


def _preset_serves(preset: Preset, required: Requirements) -> bool:
    """The tutorial tried its machines: only what is certain speaks against them, not the size rule's margins."""
    machine = required.catalog.machines[preset.machine]
    possible = machine in required.candidates(required.region)
    return possible and not any(objection.certain for objection in objections(machine, required))


def _not_preset(preset: Preset | None, required: Requirements) -> str:
    """Why not the tutorial's machine, and with what it would be; nothing where the tutorial names none."""
    if preset is None:
        return ""
    machine = required.catalog.machines[preset.machine]
    refused = next((objection for objection in objections(machine, required) if objection.certain), None)
    if machine not in required.candidates(required.region) or refused is None:
        return f"; the tutorial's {preset.machine} is not possible here"
    changes = _remedies(refused, machine, required)
    return f"; not the tutorial's {preset.machine}: {refused.text}{f', {changes} would fit' if changes else ''}"


def _remedies(objection: Objection, machine: Machine, required: Requirements) -> str:
    """What in the config would make it fit on this very machine, or nothing."""
    estimate = required.memory(machine) if objection.memory else None
    return would_fit(estimate) if estimate else ""


def objections(machine: Machine, required: Requirements) -> Iterator[Objection]:
    """Everything that speaks against a machine."""
    yield from _accelerator_objections(machine, required)
    split = required.tensor_parallel(machine)
    if split == 0 or split * required.settings.other_parallelism > machine.count:
        asked = max(1, split) * required.settings.other_parallelism
        yield Objection(f"it has {machine.count} accelerators, and the arguments ask for {asked}", certain=True)
        return
    yield from _split_objections(split, required.facts)
    yield from _memory_objections(machine, split, required)
    shortage = host_shortage(required.facts, machine)
    if shortage:
        yield Objection(shortage, certain=False)


def _accelerator_objections(machine: Machine, required: Requirements) -> Iterator[Objection]:
    accelerator, facts, image = required.accelerator(machine), required.facts, required.image
    if effective_dtype(facts, required.settings) == "bfloat16" and accelerator.capability < BFLOAT16_CAPABILITY:
        fix = "Set serving.dtype: float16, or choose another machine"
        yield Objection(f"{accelerator.accelerator} cannot compute in bfloat16", certain=True, fix=fix)
    quantization = required.catalog.quantizations.get(facts.quantization)
    if quantization is not None and accelerator.capability < quantization.capability:
        text = (
            f"{accelerator.accelerator} has compute capability {accelerator.compute_capability}, "
            f"{quantization.quantization} needs {quantization.min_capability}"
        )
        yield Objection(text, certain=True)
    since = accelerator.vllm_since
    if since and image.versions is not None and not image.versions.all_since(since):
        yield Objection(
            f"{accelerator.accelerator} needs vLLM {since} or later, the image has {image.vllm}", certain=True
        )


def _split_objections(split: int, facts: ModelFacts) -> Iterator[Objection]:
    heads, shared = facts.attention_heads, facts.key_value_heads
    if heads and heads % split:
        yield Objection(f"{heads} attention heads cannot be split over {split} accelerators", certain=True)
    elif shared and shared % split and split % shared:
        yield Objection(f"{shared} key-value heads cannot be split over {split} accelerators", certain=True)


def _memory_objections(machine: Machine, split: int, required: Requirements) -> Iterator[Objection]:
    estimate = required.memory(machine)
    if estimate is not None and estimate.conclusive:
        if estimate.verdict != "fits":
            certain = estimate.verdict == "does not fit"
            yield Objection("; ".join(estimate.reasons), certain=certain, memory=True)
        return
    need = memory_need(required.facts, required.settings, split)
    budget = memory_budget(required.accelerator(machine), required.settings)
    if need.certain > budget:
        text = f"{need.certain:.1f} GiB of weights and cache on each accelerator, where vLLM may use {budget:.1f}"
        yield Objection(text, certain=True)
    elif need.total > budget:
        yield Objection(
            f"about {need.total:.1f} GiB of each accelerator are needed ({need}), vLLM may use {budget:.1f}",
            certain=False,
        )


def _check_named(machine: Machine, required: Requirements, preset: Preset | None) -> MachineChoice:
    refused = next((objection for objection in objections(machine, required) if objection.certain), None)
    if refused:
        instead = refused.fix or _instead(_without_named(required), preset)
        changes = _remedies(refused, machine, required)
        fix = f"{changes} would fit; or {instead[0].lower()}{instead[1:]}" if changes else instead
        raise PlanError(
            f"{machine.machine} cannot serve {required.facts.model_id}: {refused.text}", where=WHERE, fix=fix
        )
    return _chosen(machine, required, "named in the deployment")


def _instead(free: Requirements, preset: Preset | None) -> str:
    if preset and _preset_serves(preset, free):
        return f"Take {preset.machine}, as Google's tutorial does, or leave this out"
    cheapest = next(free.fitting(), None)
    return f"Take {cheapest.machine}, the cheapest that fits" if cheapest else _changes(free)


def _without_named(required: Requirements) -> Requirements:
    free = {"machine_type": "", "accelerator_type": "", "accelerator_count": 0}
    serving = required.deployment.serving.model_copy(update=free)
    return replace(required, deployment=required.deployment.model_copy(update={"serving": serving}))


def _chosen(machine: Machine, required: Requirements, why: str) -> MachineChoice:
    accelerator, split = required.accelerator(machine), required.tensor_parallel(machine)
    memory = required.memory(machine)
    reasons = [why]
    for objection in objections(machine, required):
        changes = _remedies(objection, machine, required)
        reasons.append(f"it may be too small: {objection.text}{f', {changes} would fit' if changes else ''}")
    if required.facts.quantization not in ("", *required.catalog.quantizations):
        reasons.append(f"whether it can compute {required.facts.quantization} is not known to the catalogue")
    if machine.recommended_regions and required.region not in machine.recommended_regions:
        reasons.append(f"Google names it for {', '.join(machine.recommended_regions)}, not for {required.region}")
    idle = machine.count - split * required.settings.other_parallelism
    if idle:
        reasons.append(f"{idle} of its {machine.count} accelerators stay idle")
    told = _memory_reason(memory, split, accelerator, required)
    return MachineChoice(machine, accelerator, split, "; ".join(reasons), memory, told)


def _memory_reason(memory: MemoryEstimate | None, split: int, accelerator: Accelerator, required: Requirements) -> str:
    """The verdict and its terms; what a flat rule says where the model's shape is not known."""
    if memory is not None and memory.conclusive:
        return describe(memory)
    unknown = "; ".join(memory.reasons) if memory else "the model's shape is not known"
    if not required.facts.weight_bytes:
        return f"uncertain: {unknown}"
    need, budget = memory_need(required.facts, required.settings, split), memory_budget(accelerator, required.settings)
    return f"uncertain: {unknown}; roughly {need.total:.1f} of {budget:.1f} GiB of each accelerator: {need}"


def _nothing_fits(required: Requirements) -> PlanError:
    facts, tried = required.facts, list(required.candidates(required.region))
    if not tried:
        serving = required.deployment.serving
        wanted = f"{serving.accelerator_count or 'any number of'} × {serving.accelerator_type or 'any accelerator'}"
        return PlanError(f"no machine in {required.region} has {wanted}", where="serving", fix="Leave one of them out")
    largest = max(tried, key=lambda machine: machine.count * required.accelerator(machine).visible_gib)
    why = next(iter(objections(largest, required)))
    return PlanError(
        f"no machine in {required.region} fits {facts.model_id}; the largest, {largest.machine}: {why.text}",
        where="serving",
        fix=_changes(required),
    )


def _changes(required: Requirements) -> str:
    """What would make the model fit, each tried out."""
    changes = []
    if required != _without_named(required):
        cheapest = next(_without_named(required).fitting(), None)
        changes += [f"{cheapest.machine} (no accelerator_type, no accelerator_count)"] if cheapest else []
    elsewhere = sorted(
        {
            f"{machine.machine} in {machine.regions[0]}"
            for machine in required.catalog.machines.values()
            if required.region not in machine.regions and not any(objections(machine, required))
        }
    )
    changes += elsewhere[:2]
    changes += _halved("max_model_len", 256, required) + _halved("max_num_seqs", 1, required)
    changes.append("a smaller or quantised model")
    return f"This would change it: {', '.join(changes)}"


def _halved(field: str, least: int, required: Requirements) -> list[str]:
    """The field's value, halved until some machine fits."""
    value = getattr(required.settings, field)
    while value > least:
        value //= 2
        smaller = replace(required, settings=replace(required.settings, **{field: value}))
        if next(smaller.fitting(), None):
            return [f"serving.{field}: {value}"]
    return []
