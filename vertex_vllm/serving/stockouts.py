"""Recognises refusals for lack of machines or quota, and the other places that each of them rules out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from vertex_vllm.error_data import Attempt, Blocks, Refusal, Stockout
from vertex_vllm.planning.plan import ServingPlan


def stockout_of(refusal: Refusal) -> Stockout | None:
    """None for a refusal of another kind."""
    rows = (row for row in _rows() if row.code in ("", refusal.code) and row.says.search(refusal.message))
    found = next(rows, None)
    if found is None or found.blocks == "nothing":
        return None
    return Stockout(refusal.code, found.domain, refusal.message, found.blocks)


def is_blocked(plan: ServingPlan, attempts: Iterable[Attempt]) -> bool:
    """Whether an earlier refusal rules this place out too."""
    return any(
        attempt.accelerator_type == plan.accelerator_type
        and (
            attempt.stockout.blocks == "everywhere"
            or (attempt.stockout.blocks == "region" and attempt.region == plan.region)
        )
        for attempt in attempts
    )


@dataclass(frozen=True)
class _Row:
    says: re.Pattern[str]
    code: str
    domain: str
    blocks: Blocks | Literal["nothing"]


@cache
def _rows() -> tuple[_Row, ...]:
    text = files("vertex_vllm.serving").joinpath("stockouts.yaml").read_text(encoding="utf-8")
    return tuple(
        _Row(re.compile(row["says"], re.DOTALL), row.get("code", ""), row["domain"], row["blocks"])
        for row in yaml.safe_load(text)["stockouts"]
    )
