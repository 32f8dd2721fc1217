"""`vertex-vllm inventory`"""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from vertex_vllm.cli.endpoints_command import UNKNOWN, total
from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.place import looked_at, named_project, named_regions, regions_option
from vertex_vllm.cli.table import age, text_table
from vertex_vllm.cli.terminal import columns, say

if TYPE_CHECKING:
    from vertex_vllm.catalog.prices import HourlyPrice
    from vertex_vllm.lifecycle.project_inventory import Holding

_HEADER = (
    *("kind", "name", "region", "deployment", "state", "owner", "run", "made by"),
    *("since", "expires", "USD/h", "USD so far"),
)


@click.command()
@click.option("--project", help="Project id; default: GOOGLE_CLOUD_PROJECT.")
@regions_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inventory(project: str | None, regions: tuple[str, ...], as_json: bool) -> None:
    """List what vertex-vllm created and what still exists: endpoints, active runs, buckets, schedules, model versions.

    Prices are the catalogue's; where it has none they are unknown. "So far" is today's price times the time since the
    model was deployed, with the fewest replicas to the most. Exit code 1 when a region could not be asked.

    Example: vertex-vllm inventory --project my-project
    """
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.catalog.prices import BASIS
    from vertex_vllm.google.service_clock import service_clock
    from vertex_vllm.lifecycle.project_inventory import holdings

    named = named_project(project)
    held = holdings(named, named_regions(regions))
    catalog, now = load_catalog(), service_clock()()
    prices = [_hourly(each, catalog) for each in held.found]
    if as_json:
        print_json([_as_object(each, price, now) for each, price in zip(held.found, prices, strict=True)])
    elif held.found:
        lines = [_line(each, price, now) for each, price in zip(held.found, prices, strict=True)]
        say(text_table(_HEADER, lines, columns()), nl=False)
        say(f"\n{total(prices)}")
        say(f"Prices: {BASIS}", err=True)
    else:
        say("nothing", err=True)
    if not as_json:
        say(looked_at(named, *regions), err=True)
    for region, reason in held.unreachable.items():
        say(f"error: {region}: {reason}", err=True)
    sys.exit(1 if held.unreachable else 0)


def _hourly(holding: "Holding", catalog: Any) -> "HourlyPrice | None":
    from vertex_vllm.catalog.prices import HourlyPrice, hourly_price

    if holding.replicas:
        return hourly_price(holding.replicas, catalog)
    # A bucket costs by the byte, a run by the machine of its step: the catalogue has neither.
    return HourlyPrice(0.0, 0.0) if holding.kind in ("endpoint", "model", "schedule") else None


def _so_far(holding: "Holding", price: "HourlyPrice | None", now: datetime) -> "HourlyPrice | None":
    from vertex_vllm.catalog.prices import HourlyPrice

    if price is None:
        return None
    if holding.since is None:  # a schedule, which costs nothing by itself
        return price
    hours = max((now - holding.since).total_seconds(), 0.0) / 3600
    return HourlyPrice(price.least * hours, price.most * hours)


def _as_object(holding: "Holding", price: "HourlyPrice | None", now: datetime) -> dict[str, Any]:
    """A row of `--json`; unknown values are null."""
    return {
        "kind": holding.kind,
        "name": holding.name,
        "region": holding.region,
        "deployment": holding.marks.deployment,
        "state": holding.state or None,
        "owner": holding.marks.responsible or None,
        "run": holding.marks.run or None,
        "made_by": holding.made_by or None,
        "config_hash": holding.marks.config_hash or None,
        "since": holding.since,
        "expires": holding.marks.expires,
        "keep": holding.marks.keep,
        "replicas": holding.replicas,
        "usd_per_hour": price,
        "usd_so_far": _so_far(holding, price, now),
    }


def _line(holding: "Holding", price: "HourlyPrice | None", now: datetime) -> tuple[str, ...]:
    marks = holding.marks
    until = "kept" if marks.keep else f"{marks.expires:%Y-%m-%d %H:%M}" if marks.expires else "never"
    return (
        holding.kind,
        holding.name.rpartition("/")[2],
        holding.region,
        marks.deployment,
        holding.state,
        marks.responsible,
        marks.run,
        holding.made_by or UNKNOWN,
        age(holding.since, now) if holding.since else "",
        until,
        str(price or UNKNOWN),
        str(_so_far(holding, price, now) or UNKNOWN),
    )
