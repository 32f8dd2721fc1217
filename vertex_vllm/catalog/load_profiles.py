"""Named profiles of load: distributions of prompt and answer lengths (load_profiles.yaml)."""

import random
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from vertex_vllm.catalog.load_lengths import Distribution, parse_distribution
from vertex_vllm.errors import InputError

DEFAULT_PROFILE = "short"


@dataclass(frozen=True)
class Lengths:
    """Tokens of one request."""

    prompt: int
    answer: int


@dataclass(frozen=True)
class Profile:
    """Distributions of the two lengths, drawn independently of each other."""

    name: str
    prompt: Distribution
    answer: Distribution

    @property
    def longest(self) -> Lengths:
        return Lengths(self.prompt.longest, self.answer.longest)

    def draw(self, count: int, seed: int) -> tuple[Lengths, ...]:
        source = random.Random(f"lengths {seed}")
        return tuple(Lengths(self.prompt.draw(source), self.answer.draw(source)) for _ in range(count))


def profile_names() -> tuple[str, ...]:
    return tuple(_table())


def profile_lengths(name: str) -> tuple[str, str]:
    """Distributions of prompts and answers as the table writes them. KeyError for another name."""
    row = _table()[name]
    return row["prompt_tokens"], row["answer_tokens"]


def lengths_told(profile: str, prompt_tokens: str, answer_tokens: str, trace: str) -> str:
    """For people and as a key: `short (prompts fixed(32), answers fixed(64))`, or the trace."""
    if trace:
        return f"trace {trace}"
    prompts, answers = profile_lengths(profile)
    return f"{profile} (prompts {prompt_tokens or prompts}, answers {answer_tokens or answers})"


def slo_told(percentile: float, time_to_first_token: float, inter_token_latency: float, end_to_end: float) -> str:
    """For people and as a key: `p95 time to first token 0.5 s, end to end 4 s`; empty where no limit is set."""
    limits = (
        ("time to first token", time_to_first_token),
        ("inter-token latency", inter_token_latency),
        ("end to end", end_to_end),
    )
    told = ", ".join(f"{name} {seconds:g} s" for name, seconds in limits if seconds)
    return f"p{percentile:g} {told}" if told else ""


def named_profile(name: str, prompt_tokens: str = "", answer_tokens: str = "", where: str = "") -> Profile:
    """The profile of that name; a distribution that is given replaces the profile's.

    Raises InputError for an unknown name and for a text that is not a distribution.
    """
    rows = _table()
    if name not in rows:
        raise InputError(f"`{name}` is not a load profile", where=where, fix=f"Choose {', '.join(rows)}, or a trace.")
    row = rows[name]
    return Profile(
        name,
        parse_distribution(prompt_tokens or row["prompt_tokens"], where),
        parse_distribution(answer_tokens or row["answer_tokens"], where),
    )


@cache
def _table() -> dict[str, dict[str, str]]:
    text = resources.files("vertex_vllm.catalog").joinpath("load_profiles.yaml").read_text(encoding="utf-8")
    return {row["name"]: row for row in yaml.safe_load(text)["profiles"]}
