"""A plan as one HTML page: the decision, and every number unfolded into its terms. Everything in it is escaped."""

from vertex_vllm.catalog.prices import BASIS, HOURS_A_MONTH
from vertex_vllm.pages import page_environment
from vertex_vllm.planning.offers import Offer
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.start_time import start_told


def plan_page(plan: ServingPlan) -> str:
    """A page of HTML without outside references."""
    environment = page_environment("vertex_vllm.planning")
    environment.filters["dollars"] = _dollars
    environment.filters["start"] = start_told
    return environment.get_template("plan.html").render(
        plan=plan, basis=BASIS, hours_a_month=HOURS_A_MONTH, alternatives=_rejected_first(plan)
    )


def _rejected_first(plan: ServingPlan) -> tuple[Offer, ...]:
    """The offers, with cheaper machines that were not taken first; the others keep their order."""
    price = plan.usd_per_hour
    cheaper = [
        offer
        for offer in plan.alternatives
        if price is not None and offer.usd_per_hour is not None and offer.usd_per_hour < price
    ]
    return (*cheaper, *(offer for offer in plan.alternatives if offer not in cheaper))


def _dollars(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f}"
