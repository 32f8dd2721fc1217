"""Drafts, which generators return, and the items that are made of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from vertex_vllm.evaluation.suites.checks import Exact, Number
from vertex_vllm.evaluation.suites.item import ANSWER_TOKENS, MOST_LEVEL, Example, Item

LEVELS = range(1, MOST_LEVEL + 1)
BRIEFLY = "Answer with the answer alone, in as few words as possible."


@dataclass(frozen=True)
class Draft:
    """An item without its name."""

    prompt: str
    check: Any
    system: str = ""
    stop: tuple[str, ...] = ()
    max_tokens: int = ANSWER_TOKENS
    content: bytes = b""


Draw = Callable[[Random, int], Sequence[Draft]]
"""Drafts of one level. Several drafts of one call are on one text, table or picture: a cluster."""


@dataclass(frozen=True)
class Category:
    """A kind of question."""

    name: str
    draw: Draw
    examples: tuple[tuple[str, str], ...] = field(default=())


def items_of(category: Category, seed: str, per_level: int, levels: Sequence[int]) -> Iterator[Item]:
    """`per_level` items of each of `levels`, no prompt twice.

    A level's items do not depend on which other levels are asked for. Raises RuntimeError for a generator that repeats
    itself.
    """
    examples = [Example(prompt=prompt, answer=answer) for prompt, answer in category.examples]
    for level in levels:
        random = Random(f"{seed}/{category.name}/{level}")
        seen: set[tuple[str, str, bytes]] = set()
        number = cluster = idle = 0
        while number < per_level:
            drafts = [draft for draft in category.draw(random, level) if _key(draft) not in seen]
            idle = 0 if drafts else idle + 1
            if idle > 1000:
                raise RuntimeError(f"{category.name}, level {level}: no more than {number} different items")
            cluster += 1
            for draft in drafts[: per_level - number]:
                seen.add(_key(draft))
                number += 1
                yield _item(category.name, level, number, cluster if len(drafts) > 1 else 0, draft, examples)


def number(value: float, tolerance: float = 0.0, relative: float = 0.0) -> Number:
    return Number(kind="number", value=value, tolerance=tolerance, relative=relative)


def exact(*accepted: str) -> Exact:
    return Exact(kind="exact", accepted=list(accepted))


def _key(draft: Draft) -> tuple[str, str, bytes]:
    return draft.system, draft.prompt, draft.content


def _item(category: str, level: int, number: int, cluster: int, draft: Draft, examples: list[Example]) -> Item:
    return Item(
        id=f"{category}-{level}-{number:03}",
        category=category,
        level=level,
        prompt=draft.prompt,
        check=draft.check,
        cluster=f"{category}-{level}-c{cluster:03}" if cluster else "",
        system=draft.system,
        examples=examples,
        stop=list(draft.stop),
        max_tokens=draft.max_tokens,
        content=draft.content,
    )
