"""Seconds that a start of the container should take, phase by phase, before it answers requests."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

WHOLE = "in all"
"""Name of the sum, from the container's start to its first healthy answer."""


@cache
def _rows() -> tuple[dict[str, Any], ...]:
    table = yaml.safe_load((files("vertex_vllm.planning") / "start_times.yaml").read_text(encoding="utf-8"))
    return tuple(table["phases"])


def expected_start(weight_bytes: int, layers: int, args: Sequence[str]) -> dict[str, float]:
    """Name of the phase → seconds, in the order of the start; last `WHOLE`, the sum.

    Measured on one H200 with empty caches (start_times.yaml); other machines differ, so a comparison should allow for
    twice as much. `args` are the container's: with `--enforce-eager` nothing is compiled or captured. The image's pull
    is not included: it has not been measured on Vertex AI.
    """
    eager = "--enforce-eager" in args
    seconds = {
        row["name"]: 0.0
        if eager and row.get("compiled")
        else row["fixed"] + row.get("per_gb", 0.0) * weight_bytes / 1e9 + row.get("per_layer", 0.0) * layers
        for row in _rows()
    }
    rounded = {name: round(value, 1) for name, value in seconds.items() if value}
    return {**rounded, WHOLE: round(sum(rounded.values()), 1)}


def start_told(seconds: Mapping[str, float]) -> str:
    """The whole in minutes and its longest phases, on a line; empty without an estimate."""
    if not seconds:
        return ""
    phases = sorted((name for name in seconds if name != WHOLE), key=lambda name: -seconds[name])[:3]
    longest = ", ".join(f"{name} {seconds[name]:.0f} s" for name in phases)
    return f"about {seconds[WHOLE] / 60:.0f} min after the machine is there and the image is pulled ({longest})"
