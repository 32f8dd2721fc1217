"""The part of an evaluation's caps that is left for its load, which shares them with the questions before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from vertex_vllm.load.due_requests import Due


@dataclass(frozen=True)
class LoadCaps:
    """Requests, tokens and seconds that a load may still use; None: no such cap."""

    requests: int | None = None
    tokens: int | None = None
    """Prompt and answer together."""
    seconds: float | None = None
    seconds_cap: str = "max_minutes"
    """Name of the cap that `seconds` are left of: max_minutes or max_usd."""

    @property
    def used_up(self) -> str:
        """Name of a cap that is reached; empty: none is."""
        left = (("max_requests", self.requests), ("max_tokens", self.tokens), (self.seconds_cap, self.seconds))
        return next((name for name, value in left if value is not None and value <= 0), "")

    def after(self, requests: int, tokens: int) -> Self:
        """The caps without so many requests and tokens."""
        return replace(
            self,
            requests=None if self.requests is None else self.requests - requests,
            tokens=None if self.tokens is None else self.tokens - tokens,
        )

    def allowed(self, dues: Sequence[Due]) -> tuple[tuple[Due, ...], str]:
        """The first requests, as many as may be sent, and the name of the cap that leaves others out.

        Tokens are those that the requests ask for: an answer may end sooner.
        """
        tokens = 0
        for sent, due in enumerate(dues):
            tokens += due.lengths.prompt + due.lengths.answer
            if self.requests is not None and sent >= self.requests:
                return tuple(dues[:sent]), "max_requests"
            if self.tokens is not None and tokens > self.tokens:
                return tuple(dues[:sent]), "max_tokens"
        return tuple(dues), ""


NO_CAPS = LoadCaps()
