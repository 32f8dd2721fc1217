"""The calls that a fault may strike: the rows of calls.yaml."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Call:
    """A row of calls.yaml."""

    where: dict[str, Any]
    calls: int
    speaks: str
    operation: bool = False
    body: bool = False
    large: bool = False
    wilful: bool = False
    kept: bool | None = None

    @property
    def service(self) -> str:
        return str(self.where["service"])


@cache
def calls() -> tuple[Call, ...]:
    rows = yaml.safe_load(Path(__file__).with_name("calls.yaml").read_text())["calls"]
    return tuple(Call(**row) for row in rows)
