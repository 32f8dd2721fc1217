"""Arguments whose effect on memory the memory model does not contain (unmodelled.yaml)."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

from vertex_vllm.model.rope import overrides_lengths_alone

OVERRIDES = "--hf-overrides"
SPECULATION = "--speculative-config"
# Drafts are read off the prompt: no weights and no cache of their own.
WITHOUT_DRAFT_MODEL = ("ngram",)


def unmodelled_arguments(given: Mapping[str, str]) -> tuple[str, ...]:
    """Reasons for doubt, from option → value."""
    doubts = [
        f"{flag} changes {_changes()[flag]}, which is not modelled"
        for flag in given
        if flag in _changes() and not (flag == OVERRIDES and overrides_lengths_alone(given[flag]))
    ]
    if SPECULATION in given and speculation_method(given) not in WITHOUT_DRAFT_MODEL:
        doubts.append("what the draft of speculative decoding takes is not modelled")
    return tuple(doubts)


def speculation_method(given: Mapping[str, str]) -> str:
    """`method` of a speculative config; empty without one, `unknown` for one that does not say."""
    if SPECULATION not in given:
        return ""
    try:
        parsed = json.loads(given[SPECULATION])
    except ValueError:
        return "unknown"
    method = parsed.get("method") if isinstance(parsed, dict) else None
    return method if isinstance(method, str) and method else "unknown"


@cache
def _changes() -> dict[str, str]:
    text = files("vertex_vllm.planning.memory").joinpath("unmodelled.yaml").read_text(encoding="utf-8")
    rows = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["flags"]
    return {row["flag"]: row["changes"] for row in rows}
