"""Matches throughputs that evaluations measured with the machines of a plan, and gives the price of their tokens."""

from collections.abc import Sequence
from dataclasses import replace

from vertex_vllm.planning.measurement import Measurement, Throughput
from vertex_vllm.planning.offers import Offer
from vertex_vllm.planning.plan import ServingPlan

# Arguments that the machine and the mirror determine, left out of the comparison.
_OF_THE_PLACE = ("--tensor-parallel-size=", "--model=")


def with_throughput(plan: ServingPlan, measurements: Sequence[Measurement]) -> ServingPlan:
    """The same plan, with the throughput of each machine that it was measured on.

    A measurement must be of this model (at this commit, where the plan knows one), of this machine, of as many replicas
    as the plan may run, and of the plan's image. Of several the one under the plan's load is preferred, then the one at
    its concurrency, then the one with its arguments, then the newest. Remarks name the other differences.
    """
    of_model = [each for each in measurements if _of_plan(each, plan)]
    return replace(
        plan,
        throughput=_measured(plan, plan, of_model),
        alternatives=tuple(replace(offer, throughput=_measured(offer, plan, of_model)) for offer in plan.alternatives),
        fallbacks=tuple(with_throughput(fallback, measurements) for fallback in plan.fallbacks),
    )


def _of_plan(measurement: Measurement, plan: ServingPlan) -> bool:
    return (
        measurement.model_id == plan.model_id
        and plan.commit in ("", measurement.commit)
        and measurement.image == plan.image
        and plan.min_replica_count <= measurement.replicas <= plan.max_replica_count
    )


def _measured(
    machine: Offer | ServingPlan, plan: ServingPlan, measurements: Sequence[Measurement]
) -> Throughput | None:
    """None: never measured on this machine."""
    place = (machine.machine_type, machine.accelerator_type, machine.accelerator_count)
    here = [
        each for each in measurements if (each.machine_type, each.accelerator_type, each.accelerator_count) == place
    ]
    if not here:
        return None
    best = max(
        here,
        key=lambda each: (*_likeness(each, plan), not _differences(each, plan), each.measured_at),
    )
    return Throughput.of(best, machine.usd_per_hour, _remarks(best, plan))


def _likeness(measurement: Measurement, plan: ServingPlan) -> tuple[bool, bool, bool]:
    """Whether it is of the plan's SLO, of its lengths, and of as many requests at once."""
    open_loop = measurement.requests_per_second is not None
    same_kind = measurement.slo == plan.slo if plan.slo else not open_loop
    return same_kind, measurement.load == plan.load, open_loop or measurement.concurrency == plan.concurrency


def _remarks(measurement: Measurement, plan: ServingPlan) -> tuple[str, ...]:
    remarks = []
    if plan.slo and measurement.slo != plan.slo:
        remarks.append(f"the plan's SLO is {plan.slo}")
    if measurement.load and plan.load and measurement.load != plan.load:
        remarks.append(f"the plan's load is {plan.load}")
    if measurement.requests_per_second is None and measurement.concurrency != plan.concurrency:
        remarks.append(f"the plan asks for {plan.concurrency} requests at once")
    if not plan.commit and measurement.commit:
        remarks.append(f"commit {measurement.commit[:12]}")
    return (*remarks, *_differences(measurement, plan))


def _differences(measurement: Measurement, plan: ServingPlan) -> tuple[str, ...]:
    then, now = _own(measurement.args), _own(plan.args)
    without = [text for text in now if text not in then]
    instead = [text for text in then if text not in now]
    found = [f"with {' '.join(instead)}"] if instead else []
    found += [f"without {' '.join(without)}"] if without else []
    return tuple(found)


def _own(args: Sequence[str]) -> list[str]:
    return [text for text in args if not text.startswith(_OF_THE_PLACE)]
