"""JSON that somebody else wrote: an object in a bucket, an answer of a server."""

import json
from typing import Any


def parsed(text: str | bytes) -> Any:
    """The JSON value in `text`. Raises ValueError for anything else, also for what is nested too deeply to be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
