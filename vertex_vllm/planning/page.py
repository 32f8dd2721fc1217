"""A plan as one HTML page: the decision, and every number unfolded into its terms. Everything in it is escaped."""

from vertex_vllm.catalog.prices import BASIS
from vertex_vllm.planning.plan import ServingPlan


def plan_page(plan: ServingPlan) -> str:
    """A page that needs nothing besides itself."""
    # Templates are needed by whoever makes a page, and by no other plan.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("vertex_vllm.planning"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["dollars"] = _dollars
    return environment.get_template("plan.html").render(plan=plan, basis=BASIS)


def _dollars(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f}"
