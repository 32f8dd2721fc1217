"""The suites that ship with the project, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from vertex_vllm.evaluation.suites.item import MOST_LEVEL
from vertex_vllm.evaluation.suites.suite import Suite, joined, part_of

LICENSE = "Apache-2.0"
SMALL_ITEMS = 60
_ALL = tuple(range(1, MOST_LEVEL + 1))


@dataclass(frozen=True)
class _Shipped:
    description: str
    make: Callable[[], Suite]


def _text(levels: Sequence[int] = _ALL) -> Suite:
    from vertex_vllm.evaluation.suites.generated.text_suite import text_items

    return Suite("text", LICENSE, tuple(text_items(levels)))


def _image(levels: Sequence[int] = _ALL) -> Suite:
    """Draws every picture: two milliseconds each."""
    from vertex_vllm.evaluation.suites.generated.image_suite import image_items

    return Suite("image", LICENSE, tuple(image_items(levels)))


SHIPPED = {
    "text": _Shipped("15 kinds of questions in text, levels 1 to 4", _text),
    "image": _Shipped("6 kinds of questions on pictures, levels 1 to 4", _image),
    "text-and-image": _Shipped(
        "The text suite and the image suite", lambda: joined("text-and-image", [_text(), _image()])
    ),
    "text-small": _Shipped(
        f"{SMALL_ITEMS} of the easiest items of the text suite: for a demo and for tests, too few for a gate",
        lambda: part_of(_text([1]), [1], SMALL_ITEMS),
    ),
    "image-small": _Shipped(
        "24 of the easiest items of the image suite: for a demo and for tests, too few for a gate",
        lambda: part_of(_image([1]), [1], 24),
    ),
}


@cache
def shipped_suite(name: str) -> Suite:
    """Generated on the first call. KeyError for a name that is not in SHIPPED."""
    shipped = SHIPPED[name]
    return replace(shipped.make(), name=name, description=shipped.description)
