"""`vertex-vllm endpoints show`: a deployment's endpoint as lines for a person, and as an object for programs."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from vertex_vllm.cli.money import monthly
from vertex_vllm.cli.table import age
from vertex_vllm.cli.terminal import fact

if TYPE_CHECKING:
    from vertex_vllm.catalog.prices import HourlyPrice
    from vertex_vllm.lifecycle.deployment_view import DeploymentView

_CLIENTS = {
    "openai": "Python, OpenAI's client (pip install openai google-auth)",
    "curl": "curl",
    "sdk": "Python, Google's SDK (pip install google-cloud-aiplatform)",
    "gcloud": "gcloud",
}


def text(view: "DeploymentView", price: "HourlyPrice | None", calls: dict[str, str], now: datetime) -> str:
    """A line for each fact, then the calls. `now` is the clock that dated the endpoint."""
    serving, marks = view.serving, view.marks
    commit = f"@{serving.commit}" if serving.commit else ""
    rows = [
        ("Deployment", marks.deployment),
        ("State", f"{serving.stage or 'not promoted'}, serving for {age(view.since, now)}"),
        ("Model", f"{serving.model_id}{commit}"),
        ("Config", serving.config_hash),
        ("Machine", _machine(view)),
        ("Price", price_text(price)),
        ("Expires", _expires(view)),
        ("Run", marks.run),
        ("Owner", marks.responsible),
        ("Endpoint", serving.endpoint),
        ("URL", f"{view.base_url}/chat/completions"),
    ]
    lines = [fact(label, value) for label, value in rows if value]
    for client, call in calls.items():
        lines += ["", f"# {_CLIENTS[client]}", call.rstrip("\n")]
    return "\n".join(lines) + "\n"


def as_object(view: "DeploymentView", price: "HourlyPrice | None", calls: dict[str, str]) -> dict[str, Any]:
    """The same for `--json`; unknown values are null."""
    return {
        "deployment": view.marks.deployment,
        "stage": view.serving.stage or None,
        "endpoint": view.serving.endpoint,
        "base_url": view.base_url,
        "url": f"{view.base_url}/chat/completions",
        "model_id": view.serving.model_id,
        "commit": view.serving.commit or None,
        "config_hash": view.serving.config_hash,
        "image": view.serving.image,
        "replicas": view.serving.replicas,
        "usd_per_hour": price,
        "since": view.since,
        "expires": view.marks.expires,
        "keep": view.marks.keep,
        "run": view.marks.run or None,
        "owner": view.marks.responsible or None,
        "superseded": view.superseded,
        "snippets": calls,
    }


def _machine(view: "DeploymentView") -> str:
    used = view.serving.replicas
    accelerators = f", {used.accelerator_count} × {used.accelerator_type}" if used.accelerator_count else ""
    count = str(used.least) if used.least == used.most else f"{used.least} to {used.most}"
    noun = "replica" if count == "1" else "replicas"
    return f"{used.machine_type}{accelerators}, {count} {noun}{', spot' if used.spot else ''}, in {used.region}"


def price_text(price: "HourlyPrice | None") -> str:
    """Dollars an hour and a month, and the price's basis."""
    from vertex_vllm.catalog.prices import BASIS

    if price is None:
        return "unknown: the catalogue has no dated price for this machine in this region"
    return f"{price} USD/h, {monthly(price)} USD a month of 730 hours ({BASIS})"


def _expires(view: "DeploymentView") -> str:
    if view.marks.keep:
        return "never: it has the label vertex-vllm-keep"
    return f"{view.marks.expires:%Y-%m-%d %H:%M} UTC" if view.marks.expires else "never"
