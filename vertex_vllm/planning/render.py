"""A plan as plain text for people: what will be rented, what will run, and why."""

import textwrap

from vertex_vllm.catalog.prices import BASIS, HOURS_A_MONTH
from vertex_vllm.planning.measurement import Throughput
from vertex_vllm.planning.offers import Offer
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.start_time import start_told

WIDTH = 100
"""Columns of a plan in a file or a pipe."""
_LABEL = 18
_MOST_SHOWN = 4
_MOST_REJECTED = 3
VERDICT, WARNINGS = "Verdict", "Warnings"


def render_plan(plan: ServingPlan, width: int = WIDTH) -> str:
    """A row per choice, the reason under it, lines of at most `width` characters where they can be.

    Ends with a newline.
    """
    replicas = f"{plan.min_replica_count} to {plan.max_replica_count} replicas, " if plan.max_replica_count > 1 else ""
    accelerators = f"{plan.accelerator_count} × {plan.accelerator_type}"
    kind = "spot, " if plan.spot else f"flex-start for {plan.flex_start_hours} h, " if plan.flex_start_hours else ""
    rows = [
        (VERDICT, _verdict(plan), ""),
        (
            "Machine",
            f"{plan.machine_type}, {accelerators}, {replicas}{kind}in {plan.region}",
            plan.reasons.get("machine_type", ""),
        ),
        ("Price", _price(plan), ""),
        ("Context", _context(plan), plan.reasons.get("max_model_len", "")),
        *((WARNINGS if not number else "", text, "") for number, text in enumerate(plan.warnings)),
        ("Deployment", f"{plan.deployment}, config {plan.config_hash}", ""),
        ("Model", f"{plan.model_id}{'@' + plan.commit if plan.commit else ''}", plan.reasons.get("model_id", "")),
        *([("Memory", plan.reasons["memory"], "")] if "memory" in plan.reasons else []),
        ("Tokens", *_tokens(plan.throughput)),
        ("Image", f"{plan.image}, vLLM {plan.vllm_version}", plan.reasons.get("image", "")),
        ("Arguments", " ".join(plan.args), plan.reasons.get("args", "")),
        *([("Code", plan.reasons["code"], "")] if "code" in plan.reasons else []),
        *([("Doubts", plan.reasons["doubts"], "")] if "doubts" in plan.reasons else []),
        ("Chat completions", "yes" if plan.chat else "no", plan.reasons.get("chat", "")),
        *(
            [("Tools", "yes" if "--enable-auto-tool-choice" in plan.args else "no", plan.reasons["tools"])]
            if "tools" in plan.reasons
            else []
        ),
        ("Images", "yes" if plan.vision else "no", ""),
        (
            "Endpoint",
            f"{'dedicated' if plan.dedicated_endpoint else 'shared'}, requests of up to "
            f"{plan.request_timeout_seconds} s, ready within {plan.deployment_timeout_seconds} s",
            "",
        ),
        *([("Start", start_told(plan.start_seconds), "")] if plan.start_seconds else []),
        (
            "Quota",
            f"{plan.quota.quota_id} in {plan.quota.region}: {plan.quota.minimum} to start, "
            f"{plan.quota.accelerators} at most",
            plan.reasons.get("quota", ""),
        ),
    ]
    rows += [("Fallbacks" if not number else "", *_fallback(plan)) for number, plan in enumerate(plan.fallbacks)]
    rows += _alternatives(plan)
    return "".join(row(*each, width=width) for each in rows)


def _verdict(plan: ServingPlan) -> str:
    count = len(plan.warnings)
    told = f", with {count} warning{'s' if count > 1 else ''}" if count else ""
    return f"{plan.verdict}{told}"


def _context(plan: ServingPlan) -> str:
    """Length of a request, and how many of that length are worked on at once."""
    if plan.requests is None:
        return f"{plan.max_model_len} tokens"
    requests = "1 request" if plan.requests == 1 else f"{plan.requests} requests"
    return f"{plan.max_model_len} tokens; the cache holds {requests} of that length at once"


def _price(plan: ServingPlan) -> str:
    if plan.usd_per_hour is None:
        return "unknown: the catalogue has no dated price for this machine in this region"
    least, most = plan.usd_per_hour * plan.min_replica_count, plan.usd_per_hour * plan.max_replica_count
    told = f"{least:.2f}" if least == most else f"{least:.2f} to {most:.2f}"
    monthly = (
        f"{least * HOURS_A_MONTH:.0f}"
        if least == most
        else (f"{least * HOURS_A_MONTH:.0f} to {most * HOURS_A_MONTH:.0f}")
    )
    return f"{told} USD/h, {monthly} USD a month of {HOURS_A_MONTH} hours ({BASIS})"


def _tokens(throughput: Throughput | None) -> tuple[str, str]:
    """Cost of a million tokens, and how it was measured."""
    return ("not measured", "") if throughput is None else (throughput.price, throughput.conditions)


def _fallback(plan: ServingPlan) -> tuple[str, str]:
    accelerators = f"{plan.accelerator_count} × {plan.accelerator_type}"
    told = f"{plan.machine_type}, {accelerators}, in {plan.region}, {_hourly(plan.usd_per_hour)}{_million(plan)}"
    return told, plan.reasons["memory"]


def _alternatives(plan: ServingPlan) -> list[tuple[str, str, str]]:
    """Rows of machines worth showing: cheaper rejected ones, the next that fit, the tutorial's, and measured ones."""
    price = plan.usd_per_hour
    cheaper = [
        offer
        for offer in plan.alternatives
        if price is not None and offer.usd_per_hour is not None and offer.usd_per_hour < price
    ]
    rejected = sorted(cheaper, key=lambda offer: -(offer.usd_per_hour or 0.0))[:_MOST_REJECTED]
    fitting = [offer for offer in plan.alternatives if offer.verdict == "fits"][:_MOST_SHOWN]
    known = [offer for offer in plan.alternatives if offer.tutorial or offer.throughput is not None]
    shown = list(dict.fromkeys((*rejected, *fitting, *known)))
    compared = plan.throughput is not None or any(offer.throughput is not None for offer in shown)
    rows = [("Alternatives" if not number else "", *_offer(offer, compared)) for number, offer in enumerate(shown)]
    more = len(plan.alternatives) - len(shown)
    return [*rows, ("", f"and {more} more: --json or --html lists all", "")] if rows and more else rows


def _offer(offer: Offer, compared: bool) -> tuple[str, str]:
    """`compared`: another row has a price of tokens, so a machine without one says so."""
    room = "" if offer.requests is None else f", cache for {offer.requests} × {offer.max_model_len} tokens"
    tutorial = ", as in Google's tutorial" if offer.tutorial else ""
    tokens = _million(offer) or (", tokens not measured" if compared else "")
    value = (
        f"{offer.machine_type}, {offer.accelerator_count} × {offer.accelerator_type}, {_hourly(offer.usd_per_hour)}"
        f"{tokens}: {offer.verdict}{room}{tutorial}"
    )
    return value, offer.why_not


def _million(machine: Offer | ServingPlan) -> str:
    """The price of a million tokens, to follow the price per hour; empty for a machine that was never measured."""
    return "" if machine.throughput is None else f", {machine.throughput.price} ({machine.throughput.conditions})"


def _hourly(price: float | None) -> str:
    return "price unknown" if price is None else f"{price:.2f} USD/h"


def row(label: str, value: str, reason: str = "", width: int = WIDTH) -> str:
    """A row of a plan: label, value, and the reason under it in brackets."""
    margin = " " * _LABEL
    lines = textwrap.wrap(
        value,
        width,
        initial_indent=label.ljust(_LABEL),
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    if reason:
        lines += textwrap.wrap(
            f"({reason})", width, initial_indent=margin, subsequent_indent=margin + " ", break_on_hyphens=False
        )
    return "\n".join(lines) + "\n"
