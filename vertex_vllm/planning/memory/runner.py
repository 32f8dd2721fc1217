"""The model runner that a version of vLLM uses for a model: V1, or its successor V2 (runners.yaml)."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from vertex_vllm.model.transformer import Transformer
from vertex_vllm.planning.memory.start import Start
from vertex_vllm.vllm_versions import version_key

Runner = Literal["V1", "V2"]


@dataclass(frozen=True)
class _Rule:
    since: str
    architectures: tuple[str, ...]
    dense: bool
    unquantized: bool
    everything: bool


@dataclass(frozen=True)
class Setup:
    """A version that the image may have, and the runner that it takes."""

    runner: Runner
    version: str
    """Empty: no version is known."""

    def since(self, version: str) -> bool:
        """Whether the version is that one or later; True for an unknown version."""
        return not self.version or version_key(self.version) >= version_key(version)


def setups(model: Transformer, start: Start, *turning_points: str) -> tuple[Setup, ...]:
    """The setups that may differ, newest version first: both ends of the range, and the changes between them."""
    if start.versions is None:
        return (Setup("V2", ""), Setup("V1", ""))
    ends = (start.versions.earliest, start.versions.latest)
    between = {
        point
        for point in (*(rule.since for rule in _rules()), *turning_points)
        if start.versions.earliest != start.versions.latest
        and version_key(ends[0]) < version_key(point) < version_key(ends[1])
    }
    ordered = sorted({*ends, *between}, key=version_key, reverse=True)
    return tuple(Setup(_runner(model, start, version), version) for version in ordered)


def runners(model: Transformer, start: Start) -> tuple[Runner, ...]:
    """The runners that the start may have, that of the newest version first."""
    return tuple(dict.fromkeys(setup.runner for setup in setups(model, start)))


def _runner(model: Transformer, start: Start, version: str) -> Runner:
    rule = next((rule for rule in reversed(_rules()) if version_key(version) >= version_key(rule.since)), None)
    if rule is None or start.speculation == "ngram":
        return "V1"
    covered = rule.everything or model.architecture in rule.architectures or (rule.dense and not model.experts)
    return "V2" if covered and not (rule.unquantized and start.quantization) else "V1"


@cache
def _rules() -> tuple[_Rule, ...]:
    text = files("vertex_vllm.planning.memory").joinpath("runners.yaml").read_text(encoding="utf-8")
    rows = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return tuple(
        _Rule(
            row["since"],
            tuple(row.get("architectures", ())),
            row.get("dense", False),
            row.get("unquantized", False),
            row.get("all", False),
        )
        for row in rows["rules"]
    )
