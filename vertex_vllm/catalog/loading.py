"""From the catalogue's YAML files to one validated value."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import yaml

from vertex_vllm.catalog.catalog import Catalog
from vertex_vllm.catalog.row_lookup import LOADER, RowLookup
from vertex_vllm.catalog.rows import (
    Accelerator,
    Advisory,
    Architecture,
    Family,
    Flag,
    Image,
    Limit,
    Machine,
    Model,
    NumberFormat,
    Preset,
    Quantization,
    Shape,
    Source,
    SourcedRow,
    Tpu,
)

RowType = TypeVar("RowType", bound=SourcedRow)


@cache
def load_catalog() -> Catalog:
    """The catalogue that ships with the package. Raises ValueError where a file of it is malformed."""
    machines, images, models, families = (_read(name) for name in ("machines", "images", "models", "families"))
    flags = RowLookup("flags", Flag, "flag")
    architectures = RowLookup("architectures", Architecture, "architecture")
    quantizations, rules = _read("quantizations"), _read("quantization_rules")
    for machine in machines["machines"]:
        machine["regions"] = machines["regions"][machine["regions"]]
    for image in images["images"]:
        repository, tag = images["repositories"][image.pop("repository")], image.pop("tag")
        image["uri"] = f"{repository}:{tag}" if tag else repository
    advisories = _read("advisories")
    catalog = Catalog(
        accelerators=_table(machines, "accelerators", Accelerator, "accelerator"),
        machines=_table(machines, "machines", Machine, "machine"),
        images=_table(images, "images", Image, "uri"),
        flags=flags,
        architectures=architectures,
        quantizations=_quantizations(quantizations, rules),
        formats=_formats(quantizations),
        advisories=_table(advisories, "advisories", Advisory, "advisory"),
        checked_formats=tuple(quantizations["checked"]),
        presets=_table(models, "presets", Preset, "preset"),
        shapes=_table(models, "shapes", Shape, "shape"),
        models=_table(models, "models", Model, "model"),
        tpus=_table(machines, "tpus", Tpu, "tpu"),
        families=_table(families, "families", Family, "family"),
        checked_flags=flags.checked,
        checked_architectures=architectures.checked,
    )
    _check_references(catalog)
    return catalog


def _read(name: str) -> dict[str, Any]:
    text = resources.files("vertex_vllm.catalog").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=LOADER)
    return loaded


def _table(content: Mapping[str, Any], name: str, row_type: type[RowType], key: str) -> dict[str, RowType]:
    sources = {label: Source.model_validate(source) for label, source in content["sources"].items()}
    rows: dict[str, RowType] = {}
    for fields in content[name]:
        unknown = set(fields["source"]) - set(sources)
        if unknown or fields[key] in rows:
            raise ValueError(f"{name}: {fields[key]}: unknown source {sorted(unknown)}, or a second row of that name")
        row = row_type.model_validate({**fields, "source": tuple(sources[label] for label in fields["source"])})
        rows[fields[key]] = row
    return rows


def _quantizations(read: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Quantization]:
    """A row for each method, with its limits by version, and the rules that no class of vLLM says."""
    sources = {
        label: Source.model_validate(source) for label, source in {**read["sources"], **rules["sources"]}.items()
    }
    more = {rule["quantization"]: rule for rule in rules["rules"]}
    limits: dict[str, list[Limit]] = {name: [] for name in more}
    for row in read["quantizations"]:
        fields = {key: value for key, value in row.items() if key not in ("quantization", "source")}
        limits.setdefault(row["quantization"], []).append(Limit(**fields))
    for row in rules["schemes"]:
        limits[row["scheme"]] = [Limit(first=row["first"], last=row.get("last", read["checked"][-1]))]
        more[row["scheme"]] = {"source": row["source"]}
    rows = {}
    for name, found in sorted(limits.items()):
        rule = more.get(name, {})
        labels = ["wheels", *rule.get("source", ())]
        fields = {key: value for key, value in rule.items() if key not in ("quantization", "source")}
        told = tuple(sources[label] for label in labels)
        rows[name] = Quantization(quantization=name, limits=tuple(found), source=told, **fields)
    return rows


def _formats(read: Mapping[str, Any]) -> tuple[NumberFormat, ...]:
    sources = {label: Source.model_validate(source) for label, source in read["sources"].items()}
    return tuple(
        NumberFormat.model_validate({**row, "source": tuple(sources[label] for label in row["source"])})
        for row in read["formats"]
    )


def _check_references(catalog: Catalog) -> None:
    """Raises ValueError for a row that names a missing row of another table, which only a user would find otherwise."""
    wanted: dict[str, tuple[set[str], Mapping[str, SourcedRow]]] = {
        "accelerator": ({machine.accelerator for machine in catalog.machines.values()}, catalog.accelerators),
        "machine": ({preset.machine for preset in catalog.presets.values()}, catalog.machines),
        "shape": ({model.shape for model in catalog.models.values()}, catalog.shapes),
        "preset": ({model.preset for model in catalog.models.values() if model.preset}, catalog.presets),
        "flag": ({row.needs_flag for row in catalog.quantizations.values() if row.needs_flag}, catalog.flags),
    }
    for kind, (names, table) in wanted.items():
        if missing := sorted(name for name in names if name not in table):
            raise ValueError(f"the catalogue names a {kind} that it does not have: {missing}")
