"""Compares the plan's verdict on generated argument lists with that of a vLLM version's own parser.

    python -m benchmarks.argument_verdicts 0.32.0 --folder .venv-vllm/lib/python3.11/site-packages

FOLDER holds the `vllm` package of that version, installed or unpacked; the parser runs in the environment of
VERTEX_VLLM_RUNTIME. The disagreements are printed: lists that only the parser refuses, and lists that only the plan
refuses. Exit code 1 if there is one.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vertex_vllm.catalog import load_catalog
from vertex_vllm.catalog.argument_table import ArgumentTable, Takes, argument_table
from vertex_vllm.errors import PlanError
from vertex_vllm.planning.argument_forms import PARSERS, check_forms
from vertex_vllm.planning.arguments import REFUSED, check_extra
from vertex_vllm.planning.command_line import parse_arguments
from vertex_vllm.planning.image_choice import ImageChoice
from vertex_vllm.vllm_versions import VersionRange

HERE = Path(__file__).resolve().parent.parent
LISTS = 300
# This option ends the parser.
LEFT_OUT = {"--help"}
# Values of arguments whose text has a form of its own.
RIGHT_OF = {
    "--chat-template": ("{{ messages }}", "{% for message in messages %}{% endfor %}"),
    "--lora-modules": ("sql=/mnt/sql", '{"name": "sql", "path": "/mnt/sql"}'),
    "--config": ("/mnt/arguments.yaml",),
    "--tool-parser-plugin": ("/mnt/parser.py",),
}
WRONG_OF = {
    "--chat-template": ("examples/template.jinja",),
    "--lora-modules": ("sql", '{"name": "sql"}', "{sql}"),
}
# For `--config FILE`, unlike `--config=FILE`, the parser reads the file before it checks the other arguments.
JOINED = ("--config",)
WRONG = {
    "integer": ("abc", "1.5", "", "{}", "1e3"),
    "integer with unit": ("abc", "1.5K", "4kb", "k"),
    "number": ("abc", "", "{}"),
    "JSON": ("abc", "{", "{'a': 1}", "{x: 1}"),
    "text or JSON": ("{x}",),
    "choice": ("abc", "", "AUTO"),
    "switch": ("True", "1", "false"),
}
RIGHT = {
    "integer": ("1", "16", " 4", "1_000"),
    "integer with unit": ("1024", "4k", "4K", "1.5k"),
    "number": ("0.5", "1", ".25", "1e-1"),
    "JSON": ("{}",),
    "text": ("abc", "a/b", "{x}"),
    "text or JSON": ("abc", "{}"),
}


@dataclass(frozen=True)
class Disagreement:
    arguments: tuple[str, ...]
    plan: str
    parser: str


def generated(table: ArgumentTable, version: str, seed: int = 0, count: int = LISTS) -> list[list[str]]:
    """Lists of one to four arguments: half of the lists are right, the others have one wrong argument.

    Options are drawn without replacement, so that each is in some list.
    """
    chooser = random.Random(seed)
    rows = [
        (name, takes)
        for name in sorted(table.arguments)
        if name not in LEFT_OUT and (takes := table.takes(name, version)) is not None and takes.takes != "other"
    ]
    made = []
    deck: list[tuple[str, Takes]] = []
    for number in range(count):
        wanted = chooser.randint(1, 4)
        if len(deck) < wanted:
            deck = chooser.sample(rows, len(rows))
        chosen, deck = deck[:wanted], deck[wanted:]
        written = [_written(name, takes, chooser, wrong=False, table=table, version=version) for name, takes in chosen]
        if number % 2:
            at = chooser.randrange(len(chosen))
            written[at] = _written(*chosen[at], chooser, wrong=True, table=table, version=version)
        made.append([text for texts in written for text in texts])
    return made


def _written(
    name: str, takes: Takes, chooser: random.Random, *, wrong: bool, table: ArgumentTable, version: str
) -> list[str]:
    if wrong:
        broken = chooser.choice(("value", "value", "value", "unknown", "missing"))
        if broken == "unknown":
            return [f"{name}-{chooser.choice(('x', 'size', 'mode'))}=1"]
        if broken == "missing" and takes.takes != "switch":
            return [name]
        values = WRONG_OF.get(name, WRONG.get(takes.takes, ("abc",)))
        return [f"{name}={chooser.choice(values)}"]
    if takes.takes == "switch":
        if takes.negatable and chooser.random() < 0.4:
            return [f"--no-{name.removeprefix('--')}"]
        return [name]
    value = _right(name, takes, chooser, table, version)
    form = chooser.random()
    if form < 0.2 and not value.startswith("-") and name not in JOINED:
        return [name, value]
    if form < 0.4:
        return [f"--{name.removeprefix('--').replace('-', '_')}={value}"]
    return [f"{name}={value}"]


def _right(name: str, takes: Takes, chooser: random.Random, table: ArgumentTable, version: str) -> str:
    if name in RIGHT_OF:
        return chooser.choice(RIGHT_OF[name])
    if name in PARSERS and takes.takes == "text":
        return chooser.choice(table.named(PARSERS[name], version) or ("hermes",))
    if takes.takes == "choice":
        return chooser.choice(takes.choices)
    return chooser.choice(RIGHT[takes.takes])


def plan_verdict(arguments: Sequence[str], version: str) -> str:
    """The plan's verdict: "" for an accepted list, `uncertain: …` for a doubt, else the refusal.

    For options that plans refuse because the pipeline sets them itself, only the value is checked.
    """
    image = ImageChoice("image", VersionRange(version, version), "")
    catalog = load_catalog()
    try:
        extra = parse_arguments(arguments, catalog)
        check_extra((argument for argument in extra if argument.flag not in REFUSED), image, catalog)
        doubts = check_forms(extra, image.versions, image.vllm)
    except PlanError as error:
        return str(error)
    return f"uncertain: {'; '.join(doubts)}" if doubts else ""


def parser_verdicts(lists: Sequence[Sequence[str]], version: str, folder: Path) -> list[str | None]:
    runtime = Path(os.environ.get("VERTEX_VLLM_RUNTIME") or HERE / ".venv-vllm")
    command = [str(runtime / "bin" / "python"), str(HERE / "tools" / "vllm_parser_verdicts.py"), str(folder), version]
    done = subprocess.run(command, input=json.dumps(lists), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{version}: its parser could not be asked: {done.stderr.strip()[-300:]}")
    verdicts: list[str | None] = json.loads(done.stdout)
    return verdicts


def disagreements(
    lists: Sequence[Sequence[str]], verdicts: Sequence[str | None], version: str
) -> Iterator[Disagreement]:
    for arguments, said in zip(lists, verdicts, strict=True):
        ours = plan_verdict(arguments, version)
        if (said is None) == bool(ours) and not ours.startswith("uncertain"):
            yield Disagreement(tuple(arguments), ours or "taken", said or "taken")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    lists = generated(argument_table(), given.version, given.seed)
    verdicts = parser_verdicts(lists, given.version, given.folder)
    found = list(disagreements(lists, verdicts, given.version))
    for each in found:
        print(f"{' '.join(each.arguments)}\n  plan: {each.plan}\n  parser: {each.parser}")
    refused = sum(said is not None for said in verdicts)
    print(f"vLLM {given.version}: {len(lists)} lists, {refused} refused by its parser, {len(found)} disagreements")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
