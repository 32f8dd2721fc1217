"""Reviews as a Markdown comment on a change. Nothing that a config says can leave its code span."""

import json
from collections.abc import Iterable, Sequence

from vertex_vllm.catalog import Catalog
from vertex_vllm.catalog.prices import BASIS, Replicas, hourly_price
from vertex_vllm.ci.changes import Decision
from vertex_vllm.ci.review import Review
from vertex_vllm.plain_text import plain as plain_text
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.redaction import redact

MARK = "<!-- vertex-vllm ci plan -->"
_WHY = {"added": "new", "edited": "edited"}
_MOST_NAMED = 5
# Reasons of a plan that a reviewer should see, where it has them.
_TOLD = {"code": "Code that is run", "doubts": "Doubts"}


def comment(decision: Decision, reviews: Sequence[Review], catalog: Catalog) -> str:
    """All of it; ends with a newline."""
    faulty = [review for review in reviews if review.after.faults]
    lines = [MARK, f"## vertex-vllm: {_headline(len(reviews), len(faulty))}", *_notes(decision)]
    for review in faulty:
        lines += _faults(review)
    valid = [review for review in reviews if not review.after.faults]
    for review in valid:
        if review.concerned.why != "dependency":
            lines += _section(review, catalog)
    lines += _unchanged([review for review in valid if review.concerned.why == "dependency"], catalog)
    if any(review.after.plan for review in reviews):
        lines += ["", f"Prices: {BASIS}. “unknown”: the catalogue has no dated price for that machine in that region."]
    return "\n".join(lines) + "\n"


def facts(plan: ServingPlan, catalog: Catalog) -> dict[str, str]:
    """What a reviewer compares of a plan, label → value."""
    least, most = plan.min_replica_count, plan.max_replica_count
    replicas = f"{least} replica{'s' if least > 1 else ''}" if least == most else f"{least} to {most} replicas"
    kind = ", spot" if plan.spot else f", flex-start for {plan.flex_start_hours} h" if plan.flex_start_hours else ""
    price = hourly_price(
        Replicas(plan.machine_type, plan.accelerator_type, plan.accelerator_count, plan.region, plan.spot, least, most),
        catalog,
    )
    return {
        "Model": plan.model_id,
        "Machine": f"{plan.machine_type}, {replicas}{kind}, in {plan.region}",
        "Accelerators": f"{plan.accelerator_count} × {plan.accelerator_type} a replica",
        "Image": plan.image,
        "Arguments": " ".join(plan.args),
        **{label: plan.reasons[name] for name, label in _TOLD.items() if name in plan.reasons},
        "Price": f"{price} USD/h" if price else "unknown",
        "Quota": f"{plan.quota.quota_id}: {plan.quota.minimum} to start, {plan.quota.accelerators} at most",
    }


def code(text: object) -> str:
    """As inline code in a table's cell, whatever is in it: what would end the one or the other looks alike instead."""
    plain = " ".join(plain_text(redact(str(text))).split()).replace("`", "'").replace("|", "¦")
    return f"`{plain}`" if plain else "(empty)"


def _headline(count: int, faulty: int) -> str:
    if faulty:
        return f"{faulty} of {count} config{'s' if count > 1 else ''} cannot be deployed"
    return f"{count} deployment{'s' if count != 1 else ''} concerned" if count else "no deployment concerned"


def _notes(decision: Decision) -> Iterable[str]:
    if decision.dependencies:
        named = ", ".join(map(code, decision.dependencies[:_MOST_NAMED]))
        more = len(decision.dependencies) - _MOST_NAMED
        yield ""
        yield f"Every deployment is concerned: {named}{f' and {more} more files' if more > 0 else ''} changed."
    for config in decision.removed:
        yield ""
        yield f"{code(config)} is removed. What it deployed stays, and costs, until it is torn down by hand."


def _faults(review: Review) -> list[str]:
    return ["", f"### {code(review.config)}: not valid", "", *(f"- {code(fault)}" for fault in review.after.faults)]


def _section(review: Review, catalog: Catalog) -> list[str]:
    deployment = review.after.deployment
    assert deployment is not None
    lines = ["", f"### {code(deployment.name)} ({code(review.config)}, {_WHY[review.concerned.why]})", ""]
    if not deployment.deploy_on_change:
        lines += ["CI does not deploy it: `deploy_on_change` is not set.", ""]
    if review.after.plan is None:
        lines.append(f"{code(review.after.note)}")
    else:
        lines += _table(review, review.after.plan, catalog)
    if review.parameters:
        lines += ["", "Changed parameters: " + "; ".join(_change(*changed) for changed in review.parameters)]
    return lines


def _unchanged(reviews: Sequence[Review], catalog: Catalog) -> list[str]:
    """Configs that nobody touched, a row each: before and after are the same but for what runs them."""
    rows = []
    for review in reviews:
        deployment, plan = review.after.deployment, review.after.plan
        assert deployment is not None
        shown = facts(plan, catalog) if plan else {"Machine": "needs the Hub", "Price": "unknown"}
        deploys = "yes" if deployment.deploy_on_change else "no"
        cells = (code(deployment.name), code(review.config), code(shown["Machine"]), code(shown["Price"]), deploys)
        rows.append(f"| {' | '.join(cells)} |")
    if not rows:
        return []
    return [
        "",
        "### Unchanged configs",
        "",
        "| | config | machine | price | CI deploys it |",
        "|---|---|---|---|---|",
        *rows,
    ]


def _table(review: Review, plan: ServingPlan, catalog: Catalog) -> list[str]:
    after = facts(plan, catalog)
    if review.before is None or review.before.plan is None:
        why = "" if review.before is None else " (the base's cannot be planned, so nothing is compared)"
        rows = [f"| {label} | {code(value)} |" for label, value in after.items()]
        return [f"| | planned{why} |", "|---|---|", *rows]
    before = facts(review.before.plan, catalog)
    # What only one of the two has is shown as nothing in the other.
    before, after = ({**dict.fromkeys([*after, *before], ""), **each} for each in (before, after))
    if before == after:
        rows = [f"| {label} | {code(value)} |" for label, value in after.items()]
        return ["What would be served stays the same:", "", "| | planned |", "|---|---|", *rows]
    rows = [
        f"| {label} | {'same' if before[label] == value else code(before[label])} | {code(value)} |"
        for label, value in after.items()
    ]
    return ["| | base | this change |", "|---|---|---|", *rows]


def _change(name: str, before: object, after: object) -> str:
    old, new = (value if isinstance(value, str) else json.dumps(value) for value in (before, after))
    return f"{code(name)} {code(old)} → {code(new)}"
