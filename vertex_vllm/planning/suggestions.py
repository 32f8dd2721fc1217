"""What would make a model fit that does not, each tried out."""

from dataclasses import replace

from vertex_vllm.catalog.rows import Preset
from vertex_vllm.planning.objections import objections
from vertex_vllm.planning.offers import Ranked, ranked_offers
from vertex_vllm.planning.requirements import Requirements


def instead(offers: tuple[Ranked, ...], required: Requirements) -> str:
    """Which machine to take in the place of the one that cannot; `offers` are those without it being named."""
    if offers and offers[0].serves:
        best = offers[0]
        tutorials = ", as Google's tutorial does" if best.offer.tutorial else ""
        if best.machine.price(required.spot) is None:
            return f"Take {best.machine.machine}, which fits{tutorials}; what it costs is not known"
        return f"Take {best.machine.machine}, the cheapest that fits{tutorials}, or leave this out"
    return changes(required.without_machine(), None)


def changes(required: Requirements, preset: Preset | None) -> str:
    """What of the deployment could be otherwise."""
    found = []
    free = required.without_machine()
    if required != free:
        best = _best(free, preset)
        found += [f"{best.machine.machine} (no accelerator_type, no accelerator_count)"] if best else []
    elsewhere = sorted(
        {
            f"{machine.machine} in {machine.regions[0]}"
            for machine in required.catalog.machines.values()
            if required.region not in machine.regions and not any(objections(machine, required))
        }
    )
    found += elsewhere[:2]
    found += _halved("max_model_len", 256, required, preset) + _halved("max_num_seqs", 1, required, preset)
    found.append("a smaller or quantised model")
    return f"This would change it: {', '.join(found)}"


def _halved(field: str, least: int, required: Requirements, preset: Preset | None) -> list[str]:
    """The field's value, halved until some machine fits."""
    value = getattr(required.settings, field)
    while value > least:
        value //= 2
        if _best(replace(required, settings=replace(required.settings, **{field: value})), preset):
            return [f"serving.{field}: {value}"]
    return []


def _best(required: Requirements, preset: Preset | None) -> Ranked | None:
    offers = ranked_offers(required, preset)
    return offers[0] if offers and offers[0].serves else None
