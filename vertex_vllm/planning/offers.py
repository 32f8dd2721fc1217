"""Every machine of the region as an offer: what it costs, whether it serves the model, why it is not the first choice.

The order: machines that serve before those that may not; among those that serve, the ones whose cache has room for the
requests asked for and whose quota has headroom; then by price, a machine without a known price after all others, by its
accelerators and their memory. Prices only order the machines: they are Compute Engine's in us-central1, not a guess of
another region's.
"""

from dataclasses import dataclass
from typing import Any, Self

from vertex_vllm.catalog.prices import Replicas, hourly_price
from vertex_vllm.catalog.rows import Machine, Preset
from vertex_vllm.planning.context import context_on
from vertex_vllm.planning.measurement import Throughput
from vertex_vllm.planning.memory.estimate import Verdict
from vertex_vllm.planning.objections import Objection, objections, quota_shortage
from vertex_vllm.planning.requirements import Requirements

# Ranks, the best first.
ROOMY, CROWDED, WITHOUT_QUOTA, DOUBTFUL, IMPOSSIBLE = range(5)


@dataclass(frozen=True)
class Offer:
    """A machine in the deployment's region."""

    machine_type: str
    accelerator_type: str
    accelerator_count: int
    usd_per_hour: float | None
    """Of one replica, in this region, spot where that is asked for; None: no dated source."""
    verdict: Verdict
    requests: int | None
    """Requests of `max_model_len` tokens that the cache surely holds at once; None: not known."""
    why_not: str
    """Empty for the machine that is taken."""
    tutorial: bool = False
    """Google's tutorial serves the model on it."""
    throughput: Throughput | None = None
    """Throughput that an evaluation measured on it; None: never measured."""
    max_model_len: int = 0
    """Tokens that prompt and answer together would have at most on it; 0: the model does not fit."""

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        throughput = fields.get("throughput")
        return cls(**{**fields, "throughput": Throughput.from_fields(throughput) if throughput else None})


@dataclass(frozen=True)
class Ranked:
    """A machine with its offer and its place in the order."""

    machine: Machine
    offer: Offer
    rank: int
    """ROOMY to IMPOSSIBLE."""
    objections: tuple[Objection, ...]
    """Reasons against it, doubts included."""
    room: int | None
    """Requests of the length that machines are compared with that the cache surely holds at once; None: not known."""

    @property
    def serves(self) -> bool:
        """Whether nothing but crowding and quota speaks against the machine."""
        return self.rank < DOUBTFUL


def ranked_offers(required: Requirements, preset: Preset | None) -> tuple[Ranked, ...]:
    """All machines that the deployment leaves to choose from, the best first."""
    found = [_ranked(machine, required, preset) for machine in required.candidates()]
    return tuple(sorted(found, key=lambda ranked: _order(ranked, required)))


def alternatives(offers: tuple[Ranked, ...], taken: Machine, required: Requirements, named: bool) -> tuple[Offer, ...]:
    """The offers besides the one that is taken, each with why it is not."""
    chosen = next((ranked for ranked in offers if ranked.machine == taken), None)
    return tuple(
        Offer(**{**vars(ranked.offer), "why_not": _why_not(ranked, chosen, required, named)})
        for ranked in offers
        if ranked.machine != taken
    )


def _ranked(machine: Machine, required: Requirements, preset: Preset | None) -> Ranked:
    tutorial = preset is not None and preset.machine == machine.machine
    against = tuple(objections(machine, required))
    estimate = None if _unsplittable(against) else required.memory(machine)
    certain = any(objection.certain for objection in against)
    verdict: Verdict = "does not fit" if certain else "uncertain" if against or estimate is None else estimate.verdict
    room = estimate.requests_at_worst if estimate is not None and estimate.conclusive and not certain else None
    context = None if certain or estimate is None else context_on(machine, required)
    offer = Offer(
        machine_type=machine.machine,
        accelerator_type=machine.accelerator,
        accelerator_count=machine.count,
        usd_per_hour=_price(machine, required),
        verdict=verdict,
        requests=context.requests if context else None,
        why_not="",
        tutorial=tutorial,
        max_model_len=context.tokens if context else 0,
    )
    return Ranked(machine, offer, _rank(offer, room, against, machine, required), against, room)


def _unsplittable(against: tuple[Objection, ...]) -> bool:
    return any(objection.split for objection in against)


def _rank(
    offer: Offer, room: int | None, against: tuple[Objection, ...], machine: Machine, required: Requirements
) -> int:
    if offer.verdict == "does not fit":
        return IMPOSSIBLE
    # Google's tutorial has tried its machines: only certain objections count against them.
    if against and not offer.tutorial:
        return DOUBTFUL
    if quota_shortage(machine, required):
        return WITHOUT_QUOTA
    return CROWDED if room is not None and room < required.concurrency else ROOMY


def _order(ranked: Ranked, required: Requirements) -> tuple[int, bool, float, int, float]:
    machine = ranked.machine
    price = machine.price(required.spot)
    accelerator = required.accelerator(machine)
    return (ranked.rank, price is None, price or 0.0, machine.count, machine.count * accelerator.visible_gib)


def _price(machine: Machine, required: Requirements) -> float | None:
    one = Replicas(machine.machine, machine.accelerator, machine.count, required.region, required.spot, 1, 1)
    price = hourly_price(one, required.catalog)
    return price.least if price else None


def _why_not(ranked: Ranked, chosen: Ranked | None, required: Requirements, named: bool) -> str:
    if ranked.objections and not ranked.serves:
        return ranked.objections[0].text
    reasons = []
    if shortage := quota_shortage(ranked.machine, required):
        reasons.append(shortage)
    if ranked.rank == CROWDED:
        reasons.append(f"its cache has room for {ranked.room} of {required.full_requests}")
    if named:
        reasons.append("another one is named in the deployment")
    elif chosen is not None and not reasons:
        reasons.append(_dearer(ranked.machine, chosen.machine, required))
    return "; ".join(reasons)


def _dearer(machine: Machine, chosen: Machine, required: Requirements) -> str:
    price, least = machine.price(required.spot), chosen.price(required.spot)
    if price is None:
        return "what it costs is not known"
    if least is not None and price > least:
        return "costs more"
    return "has more accelerators, or more memory, than are needed"
