"""Imports of some hundred thousand objects that live as long as their process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_objects() -> Iterator[None]:
    """Leaves out garbage collection inside of the block, and what the block made out of every later collection.

    Google's client packages make so many objects that the collector walks all of them again and again while they are
    imported: a quarter of the daemon's start, and of the fork server's (cProfile and `-X importtime`, Python 3.11).
    Nothing of that is ever garbage.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
