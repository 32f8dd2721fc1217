"""`vertex-vllm endpoints list|show`"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from vertex_vllm.cli.completing import deployments
from vertex_vllm.cli.help_text import Group
from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.place import (
    looked_at,
    named_project,
    named_regions,
    place_options,
    regions_option,
    require_credentials,
)
from vertex_vllm.cli.table import age, text_table
from vertex_vllm.cli.terminal import columns, say

if TYPE_CHECKING:
    from vertex_vllm.catalog.prices import HourlyPrice
    from vertex_vllm.vertex_ai.deployed_models import Served

UNKNOWN = "unknown"
_HEADER = ("deployment", "stage", "endpoint", "machine", "replicas", "spot", "since", "USD/h", "run", "made by")


@click.group(cls=Group)
def endpoints() -> None:
    """List and show endpoints: their models, prices and creators.

    Example: vertex-vllm endpoints list --project my-project
    """


@endpoints.command("list")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(project: str | None, region: str, as_json: bool) -> None:
    """Every endpoint that vertex-vllm made, one line a deployed model, and the sum of their prices.

    A price is shown where the catalogue has a dated one for that machine in that region; elsewhere it is unknown.

    Example: vertex-vllm endpoints list --project my-project
    """
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.catalog.prices import BASIS, HourlyPrice, hourly_price
    from vertex_vllm.google.service_clock import service_clock
    from vertex_vllm.vertex_ai.deployed_models import inventory

    named = named_project(project)
    served = inventory(named, region)
    made_by = makers(named, region) if served else {}
    catalog = load_catalog()
    nothing = HourlyPrice(0.0, 0.0)
    prices = [hourly_price(row.replicas, catalog) if row.replicas else nothing for row in served]
    makers_of_rows = [made_by.get(row.run, "") for row in served]
    if as_json:
        rows = zip(served, prices, makers_of_rows, strict=True)
        print_json([as_object(row, price, maker) for row, price, maker in rows])
        return
    if not served:
        say(f"no endpoints in project {named}, region {region}", err=True)
        return
    now = service_clock()()
    lines = [_line(row, price, maker, now) for row, price, maker in zip(served, prices, makers_of_rows, strict=True)]
    say(text_table(_HEADER, lines, columns()), nl=False)
    say(f"\n{total(prices)}")
    say(f"Prices: {BASIS}", err=True)
    say(looked_at(named, region), err=True)


@endpoints.command()
@click.argument("deployment", shell_complete=deployments)
@click.option("--project", help="Project id; default: GOOGLE_CLOUD_PROJECT.")
@regions_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(deployment: str, project: str | None, regions: tuple[str, ...], as_json: bool) -> None:
    """Show the live endpoint of DEPLOYMENT, and how OpenAI's client, curl, the SDK and gcloud call it.

    Model, machine, price by the hour and month, expiry, URL. Where no endpoint is live, the newest one is shown.

    Example: vertex-vllm endpoints show llama-3-1-8b-instruct --project my-project
    """
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.catalog.prices import hourly_price
    from vertex_vllm.cli import endpoint_view
    from vertex_vllm.google.service_clock import service_clock
    from vertex_vllm.inference.snippets import snippets
    from vertex_vllm.lifecycle.deployment_view import view_deployment

    named = named_project(project)
    require_credentials(named)
    view = view_deployment(named, named_regions(regions), deployment)
    price = hourly_price(view.serving.replicas, load_catalog())
    calls = snippets(view.serving.endpoint, view.host, dedicated=view.dedicated)
    if as_json:
        print_json(endpoint_view.as_object(view, price, calls))
        return
    say(endpoint_view.text(view, price, calls, service_clock()()), nl=False)
    say(f'\nAsk it: vertex-vllm ask {deployment} "…" --project {named}', err=True)
    for name in view.superseded:
        say(f"Superseded, still serving and charged: {name}", err=True)
    if view.superseded:
        say(f"Remove them: vertex-vllm teardown {deployment} --superseded --project {named}", err=True)


def makers(project: str, region: str) -> dict[str, str]:
    """Run, as endpoints are labelled with it → the service account that its steps ran as."""
    from vertex_vllm.labels import label_value
    from vertex_vllm.runs.run_listing import list_runs

    return {label_value(run.id): run.service_account for run in list_runs(project, region)}


def total(prices: "Sequence[HourlyPrice | None]") -> str:
    """The sum of what is known, and how many are not in it."""
    known = [price for price in prices if price is not None]
    least, most = sum(price.least for price in known), sum(price.most for price in known)
    told = f"{least:.2f}" if least == most else f"{least:.2f} to {most:.2f}"
    unknown = len(prices) - len(known)
    return f"Together {told} USD/h{f', and {unknown} of unknown price' if unknown else ''}"


def as_object(row: "Served", price: "HourlyPrice | None", maker: str) -> dict[str, Any]:
    """A row of `--json`; what is not known is null."""
    return {
        "endpoint": row.endpoint,
        "deployment": row.deployment,
        "stage": row.stage or None,
        "run": row.run,
        "made_by": maker or None,
        "since": row.since,
        "replicas": row.replicas,
        "usd_per_hour": price,
    }


def _line(row: "Served", price: "HourlyPrice | None", maker: str, now: datetime) -> tuple[str, ...]:
    machine, count, spot = "nothing deployed", "0", ""
    if row.replicas:
        used = row.replicas
        accelerators = f" ({used.accelerator_count} × {used.accelerator_type})" if used.accelerator_count else ""
        machine = f"{used.machine_type}{accelerators}"
        count = str(used.least) if used.least == used.most else f"{used.least} to {used.most}"
        spot = "yes" if used.spot else "no"
    told = str(price) if price is not None else UNKNOWN
    since = age(row.since, now)
    stage = row.stage or "not promoted"
    return (row.deployment, stage, row.endpoint_id, machine, count, spot, since, told, row.run, maker or UNKNOWN)
