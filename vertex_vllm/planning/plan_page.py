"""A plan as one HTML page: the decision, and every number unfolded into its terms. Everything in it is escaped."""

from vertex_vllm.catalog.prices import BASIS
from vertex_vllm.pages import page_environment
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.start_time import start_told


def plan_page(plan: ServingPlan) -> str:
    """A page that needs nothing besides itself."""
    environment = page_environment("vertex_vllm.planning")
    environment.filters["dollars"] = _dollars
    environment.filters["start"] = start_told
    return environment.get_template("plan.html").render(plan=plan, basis=BASIS)


def _dollars(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f}"
