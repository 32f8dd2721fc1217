"""`vertex-vllm catalog list|show`"""

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from vertex_vllm.cli.help_text import Group
from vertex_vllm.cli.terminal import columns, say

if TYPE_CHECKING:
    from vertex_vllm.catalog import Catalog
    from vertex_vllm.catalog.rows import SourcedRow

# Table → the columns that a list shows; `show` and --json print the rest.
TABLES = {
    "machines": ("machine", "accelerator", "count", "host_memory_gib", "usd_per_hour", "spot_usd_per_hour"),
    "accelerators": ("accelerator", "memory_gb", "visible_gib", "compute_capability", "quota", "quota_metric"),
    "tpus": ("tpu", "generation", "chips", "memory_gb", "quota"),
    "images": ("uri", "vllm", "variant", "evidence", "published"),
    "models": ("model", "shape", "preset", "chat_template", "gated"),
    "families": ("family", "fork_tool_parser", "image_placeholder", "lora", "chat_template"),
    "presets": ("preset", "machine", "max_num_seqs", "args"),
    "flags": ("flag", "first", "last", "switch"),
    "architectures": ("architecture", "takes", "first", "last", "removed_after"),
    "advisories": ("advisory", "touches", "since", "fixed", "about"),
    "quantizations": ("quantization", "min_capability", "needs_flag"),
}
UNKNOWN = "unknown"
_NEAR = 0.6


@click.group(cls=Group)
def catalog() -> None:
    """Look up the facts that planning uses, each row with its source and date.

    Example: vertex-vllm catalog show g2-standard-12
    """


@catalog.command("list")
@click.argument("table", type=click.Choice(list(TABLES)), default="machines", metavar="[TABLE]")
@click.option("--region", help="Only machines that the region has.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with sources.")
def list_command(table: str, region: str | None, as_json: bool) -> None:
    """The rows of a table; machines by default.

    TABLE is one of machines, accelerators, tpus, images, models, families, presets, flags, architectures,
    advisories, quantizations.

    Example: vertex-vllm catalog list machines --region us-central1
    """
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.cli.json_output import print_json
    from vertex_vllm.cli.table import text_table
    from vertex_vllm.errors import InputError

    loaded = load_catalog()
    rows = list(getattr(loaded, table).values())
    if region is not None:
        if table != "machines":
            raise InputError(f"{table} are the same in every region", where="--region", fix="Leave it out")
        rows = _in_region(loaded, region)
    if as_json:
        print_json([_as_object(row) for row in rows])
        return
    names = TABLES[table]
    say(text_table(names, [[_cell(getattr(row, name)) for name in names] for row in rows], columns()), nl=False)


def _rows(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the catalogue's rows that a shell completes, each with its table."""
    from vertex_vllm.catalog import load_catalog

    loaded = load_catalog()
    rows = ((name, table) for table in TABLES for name in getattr(loaded, table))
    return [CompletionItem(name, help=table) for name, table in rows if name.startswith(incomplete)]


@catalog.command("show")
@click.argument("name", shell_complete=_rows)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Everything known of one machine, accelerator, image, model, flag, architecture or other row, with its sources.

    Example: vertex-vllm catalog show --json a2-highgpu-1g
    """
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.cli.json_output import print_json

    loaded = load_catalog()
    table, row = _find(loaded, name)
    shown = {"table": table, **_as_object(row), **_derived(loaded, row)}
    if as_json:
        print_json(shown)
        return
    width = max(map(len, shown))
    for field, value in shown.items():
        for number, line in enumerate(_lines(value)):
            say(f"{field if not number else '':<{width}}  {line}")


def _in_region(loaded: "Catalog", region: str) -> "list[SourcedRow]":
    from vertex_vllm.errors import InputError

    rows = loaded.machines_in(region)
    if not rows:
        regions = sorted({name for machine in loaded.machines.values() for name in machine.regions})
        raise InputError(f"no machine with accelerators in {region}", where="--region", fix=_closest(region, regions))
    return list(rows)


def _find(loaded: "Catalog", name: str) -> "tuple[str, SourcedRow]":
    """The row of that name in whichever table; of an image the tag is enough. Raises InputError naming the nearest."""
    from vertex_vllm.errors import InputError

    every: dict[str, list[tuple[str, SourcedRow]]] = {}
    for table in TABLES:
        for key, row in getattr(loaded, table).items():
            every.setdefault(key, []).append((table, row))
            if table == "images":
                every.setdefault(key.rpartition(":")[2], []).append((table, row))
    also = {old: model.model for model in loaded.models.values() for old in model.also}
    found = every.get(also.get(name, name))
    if found is None:
        raise InputError(
            f"the catalogue has no row with the name {name}", where="NAME", fix=_closest(name, list(every))
        )
    if len({row.model_dump_json() for _, row in found}) > 1 and "/" not in name:
        uris = " or ".join(getattr(row, "uri", table) for table, row in found)
        raise InputError(f"several rows have the name {name}", where="NAME", fix=f"Name one in full: {uris}")
    return found[0]


def _closest(name: str, known: list[str]) -> str:
    import difflib

    lowered = {each.lower(): each for each in known}
    near = [lowered[match] for match in difflib.get_close_matches(name.lower(), list(lowered), n=3, cutoff=_NEAR)]
    return f"Did you mean {' or '.join(near)}?" if near else "`vertex-vllm catalog list` shows what there is"


def _as_object(row: "SourcedRow") -> dict[str, Any]:
    return row.model_dump(mode="json")


def _derived(loaded: "Catalog", row: "SourcedRow") -> dict[str, Any]:
    """Facts about this row that other rows hold."""
    from vertex_vllm.catalog.rows import Accelerator, Image, Machine, Model

    if isinstance(row, Accelerator):
        return {"quota_id": row.quota_id(preemptible=False), "spot_quota_id": row.quota_id(preemptible=True)}
    if isinstance(row, Machine):
        accelerator = loaded.accelerators[row.accelerator]
        told = {"visible_gib": accelerator.visible_gib, "compute_capability": accelerator.compute_capability}
        return {**told, **_derived(loaded, accelerator), "quota_metric": accelerator.quota_metric}
    if isinstance(row, Image):
        return {
            "lacks_flags": [
                name for name, flag in loaded.flags.items() if loaded.flag_presence(flag, row.versions) == "absent"
            ],
            "removed_architectures": [
                name
                for name, each in loaded.architectures.items()
                if each.removed_after and loaded.architecture_presence(each, row.versions) == "absent"
            ],
        }
    if isinstance(row, Model):
        shape = loaded.shapes[row.shape]
        family = loaded.family(shape.architecture)
        told = {"facts": _as_object(shape), "unverified": list(shape.unverified)}
        return {**told, "family": _as_object(family) if family else None}
    return {}


def _lines(value: Any) -> list[str]:
    """A value as lines: items of a list, fields of an object."""
    if isinstance(value, dict):
        return [f"{field}: {_cell(each)}" for field, each in value.items() if field != "source"] or ["-"]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [", ".join(_cell(each) for each in item.values()) for item in value]
    return [_cell(value)]


def _cell(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "-"
    return str(value) if value != "" else "-"
