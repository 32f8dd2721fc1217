"""Changes of the config with which a model would fit, each of them tried."""

from dataclasses import replace

from vertex_vllm.catalog.rows import Machine, Preset
from vertex_vllm.planning.objections import objections
from vertex_vllm.planning.offers import Ranked, ranked_offers
from vertex_vllm.planning.requirements import Requirements

_WOULD_CHANGE, _ANOTHER_MODEL = "This would change it: ", "a smaller or quantised model"
UNCERTAIN = "whether the model fits is then uncertain"
NOTHING_ELSE = _WOULD_CHANGE + _ANOTHER_MODEL


def instead(offers: tuple[Ranked, ...], required: Requirements) -> str:
    """Advice on another machine; `offers` are those of a config that names none."""
    best = next((ranked for ranked in offers if _fits(ranked)), None)
    if best is not None:
        tutorials = ", as Google's tutorial does" if best.offer.tutorial else ""
        if best.machine.price(required.spot) is None:
            return f"Take {best.machine.machine}, which fits{tutorials}; what it costs is not known"
        return f"Take {best.machine.machine}, the cheapest that fits{tutorials}, or leave this out"
    fixed = changes(required.without_machine(), None)
    return (_not_refused(offers, required) or fixed) if fixed == NOTHING_ELSE else fixed


def _not_refused(offers: tuple[Ranked, ...], required: Requirements) -> str:
    """The first machine that vLLM does not refuse, with `dtype: auto` where it refuses all with the dtype asked for."""
    resolved = replace(required.without_machine(), settings=replace(required.settings, dtype="auto"))
    for ranked_so, also in ((offers, ""), (ranked_offers(resolved, None), " with serving.dtype: auto")):
        for ranked in ranked_so:
            if not any(each.certain for each in ranked.objections) and ranked.offer.verdict == "uncertain":
                return f"Take {ranked.machine.machine}{also}, which vLLM does not refuse; {UNCERTAIN}"
    return ""


def changes(required: Requirements, preset: Preset | None) -> str:
    """Advice on changes of the deployment with which the model fits."""
    found = []
    free = required.without_machine()
    if required != free:
        best = _best(free, preset)
        found += [f"{best.machine.machine} (no accelerator_type, no accelerator_count)"] if best else []
    elsewhere = sorted(
        {
            f"{machine.machine} in {machine.regions[0]}"
            for machine in required.catalog.machines.values()
            if required.region not in machine.regions and _fits_there(machine, required)
        }
    )
    found += elsewhere[:2]
    found += _halved("max_model_len", 256, required, preset) + _halved("max_num_seqs", 1, required, preset)
    return f"{_WOULD_CHANGE}{', '.join([*found, _ANOTHER_MODEL])}"


def _halved(field: str, least: int, required: Requirements, preset: Preset | None) -> list[str]:
    """The field's value, halved until some machine fits."""
    value = getattr(required.settings, field)
    while value > least:
        value //= 2
        if _best(replace(required, settings=replace(required.settings, **{field: value})), preset):
            return [f"serving.{field}: {value}"]
    return []


def dtype_instead(machine: Machine, required: Requirements) -> str:
    """A `serving.dtype` with which the machine serves the model, tried out; empty: none, or it is not at fault.

    A dtype that surely fits comes first; for any other the advice says that it is uncertain.
    """
    if not any(refusal.certain for refusal in required.formats.refusals(required.accelerator(machine))):
        return ""
    taken = ""
    for dtype in ("auto", "bfloat16", "float16", "float32"):
        other = replace(required, settings=replace(required.settings, dtype=dtype))
        estimate = other.memory(machine)
        found = list(objections(machine, other))
        if estimate.verdict == "fits" and not found:
            return f"serving.dtype: {dtype} would fit"
        if not taken and not any(objection.certain for objection in found):
            taken = f"serving.dtype: {dtype} is what vLLM takes; {UNCERTAIN}"
    return taken


def _fits_there(machine: Machine, required: Requirements) -> bool:
    return not any(objections(machine, required)) and required.memory(machine).verdict == "fits"


def _best(required: Requirements, preset: Preset | None) -> Ranked | None:
    return next((ranked for ranked in ranked_offers(required, preset) if _fits(ranked)), None)


def _fits(ranked: Ranked) -> bool:
    """Whether the machine surely serves the model: advice offers no other machine."""
    return ranked.serves and ranked.offer.verdict == "fits"
