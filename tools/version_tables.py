"""The catalogue's generated tables of facts about vLLM versions: one row for consecutive versions that agree."""

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vertex_vllm.vllm_versions import version_key

FOLDER = Path(__file__).resolve().parent.parent / "vertex_vllm" / "catalog"
ARGUMENTS, QUANTIZATIONS, FLAGS = (FOLDER / f"{name}.yaml" for name in ("arguments", "quantizations", "flags"))
# Section → the key that names a row.
NAMES = {"arguments": "argument", "parsers": "parser", "quantizations": "quantization", "formats": "format"}
SECTIONS = {ARGUMENTS: ("arguments", "parsers"), QUANTIZATIONS: ("quantizations", "formats")}
COMMENTS = {
    ARGUMENTS: """\
# Values that each argument of vLLM's server takes, and the names of its tool and reasoning parsers, by version.
#
# Made by `python -m tools.read_vllm VERSION`, from the version's own parser. `first` and `last` are the ends of a run
# of checked releases that say the same. `takes`: switch (no value; `negatable`: --no-… too), choice, integer,
# integer with unit (1k), number, JSON (`keys`: no others), text, text or JSON, other. `none`, `auto`: the word None, or
# auto, is taken too; `any_case`: choices may be written in capitals. `count`: as argparse's nargs. `ge`, `gt`, `le`,
# `lt`: bounds of the field that the value is put into.
""",
    QUANTIZATIONS: """\
# vLLM's quantisation methods, by version: the least CUDA compute capability and the formats of activations.
#
# Made by `python -m tools.read_vllm VERSION` from the classes' own code. A version without a row of a method refuses
# it. Schemes of compressed-tensors and algorithms of ModelOpt stand behind a slash. `first` and `last` are the ends of
# a run of checked releases that say the same. `formats` holds the model types that a version refuses to compute in
# float16, whether it resolves `dtype: auto` by card, and the transformers that it requires.
""",
}


def write_flags(arguments: Mapping[str, Any], place: Path = FLAGS) -> None:
    """Writes flags.yaml, the versions of each option, from the table of arguments; rows of Google's fork stay."""
    text = place.read_text(encoding="utf-8")
    head, _, rest = text.partition("\nchecked:")
    forks = [line for line in rest.splitlines() if "fork: true" in line or line.lstrip().startswith('- {flag: "-O"')]
    checked = arguments["checked"]
    rows: dict[str, dict[str, Any]] = {}
    for version in checked:
        for name, row in arguments["arguments"].get(version, {}).items():
            for flag, long in ((name, ""), *((short, name) for short in row.get("short", ()) if short != "-O")):
                found = rows.setdefault(flag, {"first": version, "short_for": long})
                switch = row["takes"] == "switch" and not long
                found |= {"last": version, "switch": switch or found.get("switch", False)}
    lines = [head.rstrip(), "", f"checked: {json.dumps(checked)}", "", "flags:", *forks]
    for flag, row in sorted(rows.items(), key=lambda item: item[0].lstrip("-")):
        more = ", switch: true" if row["switch"] else f', short_for: "{row["short_for"]}"' if row["short_for"] else ""
        span = f'first: "{row["first"]}", last: "{row["last"]}"'
        lines.append(f'  - {{flag: "{flag}", {span}{more}, source: [vllm-code]}}')
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_table(place: Path, file: Path | None = None) -> dict[str, Any]:
    """A table: `checked` versions, and each section as version → name → row. `file`: read instead of the table's."""
    file = file or place
    if not file.is_file():
        return {"checked": [], **{section: {} for section in SECTIONS[place]}}
    content = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    checked = content["checked"]
    table: dict[str, Any] = {"checked": checked}
    for section in SECTIONS[place]:
        table[section] = {version: {} for version in checked}
        for row in content[section]:
            fields = {
                key: value for key, value in row.items() if key not in ("first", "last", "source", NAMES[section])
            }
            for version in checked:
                if version_key(row["first"]) <= version_key(version) <= version_key(row["last"]):
                    table[section][version][row[NAMES[section]]] = fields
    return table


def with_version(table: Mapping[str, Any], version: str, added: Mapping[str, Any]) -> dict[str, Any]:
    """The table with the version's rows replaced."""
    checked = sorted({*table["checked"], version}, key=version_key)
    return {"checked": checked, **{section: {**table[section], version: rows} for section, rows in added.items()}}


def write_table(place: Path, table: Mapping[str, Any], file: Path | None = None) -> None:
    lines = [COMMENTS[place], "sources:", "  wheels:", f"    title: {_title(table['checked'])}"]
    lines += [f"    date: {datetime.datetime.now(datetime.UTC).date()}", "", f"checked: {json.dumps(table['checked'])}"]
    for section in SECTIONS[place]:
        lines += ["", f"{section}:"]
        lines += [
            f"  - {_flow({NAMES[section]: name, **row})}" for name, row in _runs(table[section], table["checked"])
        ]
    (file or place).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _title(checked: list[str]) -> str:
    return f"Python code in the {len(checked)} wheels vllm {checked[0]} to {checked[-1]} that are named in `checked`"


def _runs(section: Mapping[str, Mapping[str, Any]], checked: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """Rows with `first` and `last`, ordered by name, then by version."""
    found = []
    for name in sorted({name for rows in section.values() for name in rows}):
        run: dict[str, Any] | None = None
        for version in checked:
            fields = section.get(version, {}).get(name)
            if run is not None and fields == run["fields"]:
                run["last"] = version
                continue
            run = None if fields is None else {"fields": fields, "first": version, "last": version}
            if run is not None:
                found.append((name, run))
    return [
        (name, {**run["fields"], "first": run["first"], "last": run["last"], "source": ["wheels"]})
        for name, run in found
    ]


def _flow(row: Mapping[str, Any]) -> str:
    """One line of YAML: JSON is YAML, without the quotes around plain keys."""
    inner = ", ".join(f"{key}: {json.dumps(value)}" for key, value in row.items())
    return f"{{{inner}}}"
