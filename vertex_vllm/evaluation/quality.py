"""Normalised words of an answer, and how they are compared."""

import string
import unicodedata
from collections.abc import Sequence

_ARTICLES = frozenset({"a", "an", "the"})
# String's punctuation is ASCII's; in other scripts the Unicode categories P* say what is punctuation.
_ASCII_PUNCTUATION = frozenset(string.punctuation)


def completed_answer(text: str) -> str:
    """The first line of a completion: after it the model continues with further questions."""
    return text.strip().partition("\n")[0].strip()


def normalise(text: str) -> tuple[str, ...]:
    """The words that are compared: compatible forms unified (NFKC), lower case, without punctuation and articles.

    Punctuation is removed without leaving a gap, so that `Mt.` is `mt` and `forty-two` is `fortytwo`; the sign and the
    point of a number are kept. SQuAD's evaluation script does the same, except for NFKC, punctuation outside of ASCII,
    numbers, and a text of articles alone, which is kept.
    """
    words = _words(text)
    return tuple(word for word in words if word not in _ARTICLES) or words


def is_exact(answer: str, accepted: Sequence[str]) -> bool:
    """Whether the normalised answer is one of the accepted ones: nothing missing, nothing added."""
    return normalise(answer) in {normalise(right) for right in accepted}


def contains(answer: str, accepted: Sequence[str]) -> bool:
    """Whether the normalised answer contains an accepted answer as consecutive whole words."""
    words, with_articles = normalise(answer), _words(answer)
    return any(
        _stands_in(wanted, with_articles if _ARTICLES.issuperset(wanted) else words)
        for wanted in map(normalise, accepted)
    )


def _stands_in(wanted: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words) - len(wanted) + 1))


def _words(text: str) -> tuple[str, ...]:
    unified = unicodedata.normalize("NFKC", text).lower().replace("−", "-")
    bare = "".join(
        character
        for place, character in enumerate(unified)
        if not _is_punctuation(character) or _of_a_number(unified, place)
    )
    return tuple(bare.split())


def _of_a_number(text: str, place: int) -> bool:
    """Whether the character is the sign or the decimal point of a number: otherwise -5 were 5, and 1.5 were 15."""
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if text[place] == ".":
        return after.isdigit() and not before.isalpha()
    return text[place] == "-" and not before.isalnum() and (after.isdigit() or after == ".")


def _is_punctuation(character: str) -> bool:
    return character in _ASCII_PUNCTUATION or unicodedata.category(character).startswith("P")
