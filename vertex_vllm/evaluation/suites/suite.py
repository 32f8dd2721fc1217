"""A suite as a value: choosing a part of it, and writing it as a single document for a run."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from vertex_vllm.errors import InputError
from vertex_vllm.evaluation.suites.item import Item
from vertex_vllm.foreign_json import parsed

BUNDLE_FORMAT = "vertex-vllm-suite/1"


@dataclass(frozen=True)
class Suite:
    """Items with the licence they may be used under."""

    name: str
    license: str
    items: tuple[Item, ...]
    description: str = ""

    @cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change whenever a request or a check of the suite does."""
        told = "\n".join(f"{item.id} {item.digest}" for item in self.items)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(sorted({item.level for item in self.items}))

    @property
    def clusters(self) -> int:
        """Independent groups of items: those on one text, table or picture count once."""
        return len({item.group for item in self.items})


def part_of(suite: Suite, levels: Sequence[int] = (), items: int = 0) -> Suite:
    """The suite's items of `levels` (empty: all), at most `items` of them (0: all), the same ones every time.

    Items are taken evenly from categories and levels; within those in the suite's order.
    Raises InputError where the suite has no item of a level, or fewer items than asked for.
    """
    if missing := sorted(set(levels) - set(suite.levels)):
        have = ", ".join(map(str, suite.levels))
        fix = f"It has the levels {have}."
        raise InputError(
            f"the suite {suite.name} has no items of level {missing[0]}", where="evaluation.levels", fix=fix
        )
    chosen = [item for item in suite.items if not levels or item.level in levels]
    if items > len(chosen):
        fix = f"Ask for at most {len(chosen)}, or for 0, which means all."
        told = f"the suite {suite.name} has {len(chosen)} items here, not {items}"
        raise InputError(told, where="evaluation.items", fix=fix)
    if items:
        chosen = _evenly(chosen, items)
    return replace(suite, items=tuple(chosen))


def joined(name: str, suites: Sequence[Suite]) -> Suite:
    """A suite of all items, under the licences of all."""
    licenses = dict.fromkeys(suite.license for suite in suites)
    described = " ".join(suite.description for suite in suites if suite.description)
    return Suite(name, " AND ".join(licenses), tuple(item for suite in suites for item in suite.items), described)


def to_bundle(suite: Suite) -> str:
    """A single JSON document with the pictures inside."""
    rows = [
        {
            **item.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            **({"content": base64.b64encode(item.content).decode()} if item.content else {}),
        }
        for item in suite.items
    ]
    told = {"format": BUNDLE_FORMAT, "name": suite.name, "license": suite.license, "description": suite.description}
    return json.dumps({**told, "items": rows}, ensure_ascii=False) + "\n"


def from_bundle(text: str, place: str) -> Suite:
    """The suite of `to_bundle`. Raises InputError, naming `place`, for anything else."""
    try:
        told: dict[str, Any] = parsed(text)
        if told["format"] != BUNDLE_FORMAT:
            raise ValueError(f"format is {told['format']!r}, not {BUNDLE_FORMAT!r}")
        for name in ("name", "license", "description"):
            if not isinstance(told[name], str):
                raise ValueError(f"{name} is {told[name]!r:.100}, not a text")
        items = tuple(map(_from_row, told["items"]))
        if not items or min(len({item.id for item in items}), len({item.digest for item in items})) < len(items):
            raise ValueError("it has no items" if not items else "it has an item twice")
        return Suite(told["name"], told["license"], items, told["description"])
    except (ValueError, KeyError, TypeError) as error:
        fix = "Name the suite's YAML file in the config; `submit` writes the document from it."
        raise InputError(f"not a bundled suite: {' '.join(str(error).split())[:300]}", where=place, fix=fix) from error


def _from_row(row: Any) -> Item:
    if not isinstance(row, dict):
        raise ValueError("an item is not a JSON object")
    return Item.model_validate({**row, "content": base64.b64decode(row.get("content", ""))})


def _evenly(items: Sequence[Item], count: int) -> list[Item]:
    """`count` items, one of each category and level in turn, back in the suite's order."""
    stacks: dict[tuple[str, int], list[int]] = {}
    for place, item in enumerate(items):
        stacks.setdefault((item.category, item.level), []).append(place)
    taken: list[int] = []
    for turn in range(len(items)):
        for stack in stacks.values():
            if turn < len(stack) and len(taken) < count:
                taken.append(stack[turn])
    return [items[place] for place in sorted(taken)]
