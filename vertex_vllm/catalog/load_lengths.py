"""Lengths of prompts and answers in tokens: named distributions, drawn with a seed."""

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vertex_vllm.errors import InputError

_MOST_TOKENS = 1_000_000
_FORMS = {
    "fixed": "fixed(TOKENS)",
    "uniform": "uniform(FEWEST, MOST)",
    "lognormal": "lognormal(MEDIAN, SIGMA, FEWEST, MOST)",
}
SYNTAX = " or ".join(_FORMS.values())


class Distribution(Protocol):
    """Draws lengths in tokens."""

    @property
    def longest(self) -> int: ...

    def draw(self, source: random.Random) -> int: ...


@dataclass(frozen=True)
class Fixed:
    tokens: int

    @property
    def longest(self) -> int:
        return self.tokens

    def draw(self, source: random.Random) -> int:
        return self.tokens


@dataclass(frozen=True)
class Uniform:
    """Every length from `fewest` to `most`, both included, with the same probability."""

    fewest: int
    most: int

    @property
    def longest(self) -> int:
        return self.most

    def draw(self, source: random.Random) -> int:
        return source.randint(self.fewest, self.most)


@dataclass(frozen=True)
class Lognormal:
    """A normal distribution of the logarithm, cut at both ends: draws outside are moved to the nearer end."""

    median: float
    sigma: float
    """Standard deviation of the natural logarithm."""
    fewest: int
    most: int

    @property
    def longest(self) -> int:
        return self.most

    def draw(self, source: random.Random) -> int:
        drawn = round(source.lognormvariate(math.log(self.median), self.sigma))
        return min(max(drawn, self.fewest), self.most)


def parse_distribution(text: str, where: str = "") -> Distribution:
    """`fixed(128)`, `uniform(64, 512)` or `lognormal(1020, 0.8, 16, 4096)`.

    Raises InputError, with `where` as its place, for any other text, and for lengths outside of 1 to 1,000,000 tokens.
    """
    match = re.fullmatch(r"\s*([a-z]+)\s*\(([^()]*)\)\s*", text)
    if match is None or match[1] not in _FORMS:
        raise InputError(f"`{text}` is not a distribution of lengths", where=where, fix=f"Write {SYNTAX}.")
    name, numbers = match[1], [part.strip() for part in match[2].split(",")]
    try:
        distribution = _MAKERS[name](numbers)
    except (ValueError, IndexError, OverflowError) as error:
        raise InputError(f"`{text}`: {error}", where=where, fix=f"Write {_FORMS[name]}.") from error
    return distribution


def _fixed(numbers: Sequence[str]) -> Distribution:
    (tokens,) = _exactly(numbers, 1)
    return Fixed(_tokens(tokens))


def _uniform(numbers: Sequence[str]) -> Distribution:
    fewest, most = map(_tokens, _exactly(numbers, 2))
    return Uniform(*_ordered(fewest, most))


def _lognormal(numbers: Sequence[str]) -> Distribution:
    median, sigma, fewest, most = _exactly(numbers, 4)
    spread = float(sigma)
    if not 0 < spread <= 5:
        raise ValueError("SIGMA must be above 0 and at most 5")
    least, longest = _ordered(_tokens(fewest), _tokens(most))
    middle = _tokens(median)
    if not least <= middle <= longest:
        raise ValueError("MEDIAN must be from FEWEST to MOST")
    return Lognormal(middle, spread, least, longest)


def _exactly(numbers: Sequence[str], count: int) -> Sequence[str]:
    if len(numbers) != count:
        raise ValueError(f"{count} number{'s' if count > 1 else ''} expected")
    return numbers


def _tokens(text: str) -> int:
    tokens = int(text)
    if not 1 <= tokens <= _MOST_TOKENS:
        raise ValueError(f"a length must be 1 to {_MOST_TOKENS:,} tokens")
    return tokens


def _ordered(fewest: int, most: int) -> tuple[int, int]:
    if fewest > most:
        raise ValueError("FEWEST must not be more than MOST")
    return fewest, most


_MAKERS: dict[str, Callable[[Sequence[str]], Distribution]] = {
    "fixed": _fixed,
    "uniform": _uniform,
    "lognormal": _lognormal,
}
