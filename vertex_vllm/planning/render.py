"""A plan as plain text for people: what will be rented, what will run, and why."""

import textwrap

from vertex_vllm.planning.plan import ServingPlan

_WIDTH = 110
_LABEL = 18


def render_plan(plan: ServingPlan) -> str:
    """One row a choice, the reason under it, lines of at most 110 characters; ends with a newline."""
    replicas = f"{plan.min_replica_count} to {plan.max_replica_count} replicas, " if plan.max_replica_count > 1 else ""
    accelerators = f"{plan.accelerator_count} × {plan.accelerator_type}"
    rows = [
        ("Deployment", f"{plan.deployment}, config {plan.config_hash}", ""),
        ("Model", f"{plan.model_id}{'@' + plan.commit if plan.commit else ''}", plan.reasons.get("model_id", "")),
        (
            "Machine",
            f"{plan.machine_type}, {accelerators}, {replicas}{'spot, ' if plan.spot else ''}in {plan.region}",
            plan.reasons.get("machine_type", ""),
        ),
        *([("Memory", plan.reasons["memory"], "")] if "memory" in plan.reasons else []),
        ("Image", f"{plan.image}, vLLM {plan.vllm_version}", plan.reasons.get("image", "")),
        ("Arguments", " ".join(plan.args), plan.reasons.get("args", "")),
        ("Context", f"{plan.max_model_len} tokens", plan.reasons.get("max_model_len", "")),
        ("Chat completions", "yes" if plan.chat else "no", plan.reasons.get("chat", "")),
        ("Images", "yes" if plan.vision else "no", ""),
        (
            "Endpoint",
            f"{'dedicated' if plan.dedicated_endpoint else 'shared'}, requests of up to "
            f"{plan.request_timeout_seconds} s, ready within {plan.deployment_timeout_seconds} s",
            "",
        ),
        (
            "Quota",
            f"{plan.quota.quota_id} in {plan.quota.region}: {plan.quota.minimum} to start, "
            f"{plan.quota.accelerators} at most",
            plan.reasons.get("quota", ""),
        ),
    ]
    return "".join(_row(*row) for row in rows)


def _row(label: str, value: str, reason: str) -> str:
    margin = " " * _LABEL
    lines = textwrap.wrap(
        value,
        _WIDTH,
        initial_indent=label.ljust(_LABEL),
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    if reason:
        lines += textwrap.wrap(
            f"({reason})", _WIDTH, initial_indent=margin, subsequent_indent=margin + " ", break_on_hyphens=False
        )
    return "\n".join(lines) + "\n"
