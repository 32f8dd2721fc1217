"""Errors of other packages, as ours: one line for a person instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from vertex_vllm.errors import VertexVllmError


@contextmanager
def told(*kinds: type[Exception]) -> Iterator[None]:
    """Raises VertexVllmError with the words of any error of these kinds."""
    try:
        yield
    except kinds as error:
        raise VertexVllmError(str(error)) from error
