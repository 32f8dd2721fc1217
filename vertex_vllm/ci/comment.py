"""Reviews as a Markdown comment on a change. Nothing that a config says can leave its code span."""

import json
from collections.abc import Sequence

from vertex_vllm.catalog import Catalog
from vertex_vllm.catalog.prices import BASIS, Replicas, hourly_price
from vertex_vllm.ci.concerned_configs import Decision
from vertex_vllm.ci.review import Review
from vertex_vllm.ci.unread import Unread
from vertex_vllm.plain_text import plain as plain_text
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.redaction import redact

MARK = "<!-- vertex-vllm ci plan -->"
_WHY = {"added": "new", "edited": "edited", "renamed": "renamed"}
_MOST_NAMED = 5
# Reasons of a plan that a reviewer should see, where it has them.
_TOLD = {"code": "Code that is run", "doubts": "Doubts"}


def comment(
    decision: Decision,
    reviews: Sequence[Review],
    catalog: Catalog,
    unread: Sequence[Unread] = (),
    limit: int | None = None,
) -> str:
    """The effects of a change as Markdown; ends with a newline. `limit`: the most bytes of it as UTF-8.

    It always holds the totals; then as many configs as fit, faulty ones first, and the number of those left out.
    """
    faulty = [review for review in reviews if review.after.faults]
    valid = [review for review in reviews if not review.after.faults]
    touched = [review for review in valid if review.concerned.why != "dependency"]
    head = [MARK, f"## vertex-vllm: {_headline(len(reviews), len(faulty), unread)}"]
    head += _totals(reviews, faulty, touched, decision)
    blocks = [*_notes(decision), *_unread(unread)]
    blocks += [_faults(review) for review in faulty]
    blocks += [_section(review, catalog) for review in touched]
    blocks += _unchanged([review for review in valid if review.concerned.why == "dependency"], catalog)
    tail = []
    if any(review.after.plan for review in reviews):
        tail = ["", f"Prices: {BASIS}. “unknown”: the catalogue has no dated price for that machine in that region."]
    return _fitted(head, blocks, tail, limit)


def _fitted(head: Sequence[str], blocks: Sequence[Sequence[str]], tail: Sequence[str], limit: int | None) -> str:
    whole = "\n".join([*head, *(line for block in blocks for line in block), *tail]) + "\n"
    if limit is None or _size(whole) <= limit:
        return whole
    room = limit - _size("\n".join([*head, *_more(len(blocks)), *tail]) + "\n")
    shown: list[str] = []
    for number, block in enumerate(blocks):
        room -= _size("\n".join(block) + "\n")
        if room < 0:
            return "\n".join([*head, *shown, *_more(len(blocks) - number), *tail]) + "\n"
        shown += block
    return whole


def _more(count: int) -> list[str]:
    entries = "1 more entry does" if count == 1 else f"{count} more entries do"
    return ["", f"{entries} not fit here. The job's summary has the whole plan."]


def _size(text: str) -> int:
    return len(text.encode())


def facts(plan: ServingPlan, catalog: Catalog) -> dict[str, str]:
    """Facts of a plan for a reviewer to compare, label → value."""
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
    """As inline code in a table's cell. A character that would end the code or the cell is replaced by one of the same
    look."""
    plain = " ".join(plain_text(redact(str(text))).split()).replace("`", "'").replace("|", "¦")
    return f"`{plain}`" if plain else "(empty)"


def _headline(count: int, faulty: int, unread: Sequence[Unread]) -> str:
    missed = sum(each.is_fault for each in unread)
    if faulty:
        return f"{faulty} of {count} config{'s' if count > 1 else ''} cannot be deployed"
    if missed:
        return f"{missed} file{'s that may be configs are' if missed > 1 else ' that may be a config is'} not read"
    return f"{count} deployment{'s' if count != 1 else ''} concerned" if count else "no deployment concerned"


def _totals(
    reviews: Sequence[Review], faulty: Sequence[Review], touched: Sequence[Review], decision: Decision
) -> list[str]:
    """One line, where there is more than one thing to count."""
    if len(reviews) + len(decision.removed) < _MOST_NAMED:
        return []
    deploying = sum(bool(each.after.deployment and each.after.deployment.deploy_on_change) for each in reviews)
    counts = {
        "not valid": len(faulty),
        "new": sum(each.concerned.why == "added" for each in touched),
        "edited": sum(each.concerned.why == "edited" for each in touched),
        "renamed": sum(each.concerned.why == "renamed" for each in touched),
        "unchanged": len(reviews) - len(faulty) - len(touched),
        "removed": len(decision.removed),
        "deployed by CI": deploying,
    }
    return ["", f"Configs: {', '.join(f'{count} {label}' for label, count in counts.items() if count)}."]


def _notes(decision: Decision) -> list[list[str]]:
    notes = []
    if decision.dependencies:
        named = ", ".join(map(code, decision.dependencies[:_MOST_NAMED]))
        more = len(decision.dependencies) - _MOST_NAMED
        more_files = f" and {more} more file{'s' if more > 1 else ''}" if more > 0 else ""
        notes.append(["", f"Every deployment is concerned: {named}{more_files} changed."])
    for removed in decision.removed:
        named = f"{code(removed.deployment)} ({code(removed.config)})" if removed.deployment else code(removed.config)
        notes.append(["", f"{named} is removed. What it deployed stays, and costs, until it is torn down by hand."])
    return notes


def _unread(unread: Sequence[Unread]) -> list[list[str]]:
    lines = [[f"- {code(each.path)} {each.why}."] for each in unread]
    return [["", "### Not read", "", *lines[0]], *lines[1:]] if lines else []


def _faults(review: Review) -> list[str]:
    return [
        "",
        f"### {code(review.config)}: not valid",
        "",
        *(f"- {code(str(fault))}" for fault in review.after.faults),
    ]


def _section(review: Review, catalog: Catalog) -> list[str]:
    deployment = review.after.deployment
    assert deployment is not None
    told = _WHY[review.concerned.why]
    origin = f" from {code(review.concerned.base)}" if review.concerned.why == "renamed" else ""
    lines = ["", f"### {code(deployment.name)} ({code(review.config)}, {told}{origin})", ""]
    if not deployment.deploy_on_change:
        lines += ["CI does not deploy it: `deploy_on_change` is not set.", ""]
    if review.after.plan is None:
        lines.append(f"{code(review.after.note)}")
    else:
        lines += _table(review, review.after.plan, catalog)
    if review.parameters:
        lines += ["", "Changed parameters: " + "; ".join(_change(*changed) for changed in review.parameters)]
    return lines


def _unchanged(reviews: Sequence[Review], catalog: Catalog) -> list[list[str]]:
    """Configs whose files did not change, a row each: only the library or pipeline that runs them changed."""
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
    table = ["| | config | machine | price | CI deploys it |", "|---|---|---|---|---|"]
    return [["", "### Unchanged configs", "", *table, rows[0]], *([row] for row in rows[1:])]


def _table(review: Review, plan: ServingPlan, catalog: Catalog) -> list[str]:
    after = facts(plan, catalog)
    if review.before is None or review.before.plan is None:
        why = "" if review.before is None else " (the base's cannot be planned, so nothing is compared)"
        rows = [f"| {label} | {code(value)} |" for label, value in after.items()]
        return [f"| | planned{why} |", "|---|---|", *rows]
    before = facts(review.before.plan, catalog)
    # A fact of one side alone is empty on the other.
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
