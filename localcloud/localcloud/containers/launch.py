"""The program that runs in a container's place, with its arguments and environment, decided before it starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.containers.programs import Image

# Variables of the daemon that every program needs; credentials of the user's shell are not passed on.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Launch:
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    port: int
    health_route: str
    predict_route: str
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def inherited(image: Image) -> dict[str, str]:
    """The daemon's variables that are passed on to the program of `image`."""
    return {name: os.environ[name] for name in (*_INHERITED, *image.variables) if name in os.environ}


def filled(word: str, placeholders: Mapping[str, str]) -> str:
    """`word` of a command with its placeholders, such as {port}, replaced."""
    for name, value in placeholders.items():
        word = word.replace(f"{{{name}}}", value)
    return word
