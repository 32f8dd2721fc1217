"""Conditions of a request on the generation, metageneration and ETag of its bucket or object."""

from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.services.storage.storage_errors import invalid, not_modified, precondition_failed


@dataclass(frozen=True)
class State:
    """The current values that conditions are compared with. As in the API, a missing object has generation 0."""

    generation: int = 0
    metageneration: int = 0
    etags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Preconditions:
    """The conditions of a request; None: not set. ETags are compared without their quotes."""

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None
    etag_match: str | None = None
    etag_not_match: str | None = None

    def check(self, state: State, *, reading: bool = False) -> None:
        """Raises StorageError: 412, or 304 if only "not match" conditions of a read fail."""
        expected = (
            _equal(self.generation_match, state.generation)
            and _equal(self.metageneration_match, state.metageneration)
            and (self.etag_match is None or _names(self.etag_match, state))
        )
        if not expected:
            raise precondition_failed()
        unchanged = (
            (self.generation_not_match is not None and self.generation_not_match == state.generation)
            or (self.metageneration_not_match is not None and self.metageneration_not_match == state.metageneration)
            or (self.etag_not_match is not None and _names(self.etag_not_match, state))
        )
        if unchanged:
            raise not_modified() if reading else precondition_failed()


def in_query(query: Mapping[str, str], headers: Mapping[str, str], prefix: str = "if") -> Preconditions:
    """The JSON API's: `ifGenerationMatch` etc. (prefix "ifSource": `ifSourceGenerationMatch`), and ETags in headers.

    Raises StorageError (400) for a value that is not a number.
    """

    def number(name: str) -> int | None:
        return _number(query.get(prefix + name), prefix + name)

    etags = (headers.get("if-match"), headers.get("if-none-match")) if prefix == "if" else (None, None)
    return Preconditions(
        number("GenerationMatch"),
        number("GenerationNotMatch"),
        number("MetagenerationMatch"),
        number("MetagenerationNotMatch"),
        *etags,
    )


def in_headers(headers: Mapping[str, str]) -> Preconditions:
    """The XML API's: `x-goog-if-generation-match`, `x-goog-if-metageneration-match`, `If-Match`, `If-None-Match`."""
    names = ("x-goog-if-generation-match", "x-goog-if-metageneration-match")
    generation, metageneration = (_number(headers.get(name), name) for name in names)
    return Preconditions(
        generation_match=generation,
        metageneration_match=metageneration,
        etag_match=headers.get("if-match"),
        etag_not_match=headers.get("if-none-match"),
    )


def _number(text: str | None, parameter: str) -> int | None:
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise invalid(f"Invalid value for {parameter}: {text!r} is not a whole number.") from None


def _equal(wanted: int | None, have: int) -> bool:
    return wanted is None or wanted == have


def _names(header: str, state: State) -> bool:
    wanted = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return bool(state.etags) if "*" in wanted else not wanted.isdisjoint(state.etags)
