"""Normalised words of an answer, and how they are compared."""

import string
import unicodedata
from collections.abc import Sequence

_ARTICLES = frozenset({"a", "an", "the"})
# String's punctuation is ASCII's; in other scripts the Unicode categories P* say what is punctuation.
_ASCII_PUNCTUATION = frozenset(string.punctuation)


def completed_answer(text: str) -> str:
    """The first line of a completion: what follows is the model asking itself further questions."""
    return text.strip().partition("\n")[0].strip()


def normalise(text: str) -> tuple[str, ...]:
    """The words that are compared: compatible forms unified (NFKC), lower case, without punctuation and articles.

    Punctuation goes without leaving a gap, so that `Mt.` is `mt` and `forty-two` is `fortytwo`. As SQuAD's evaluation
    script does it, except for NFKC and for punctuation outside of ASCII.
    """
    unified = unicodedata.normalize("NFKC", text).lower()
    bare = "".join(character for character in unified if not _is_punctuation(character))
    return tuple(word for word in bare.split() if word not in _ARTICLES)


def is_exact(answer: str, accepted: Sequence[str]) -> bool:
    """Whether the normalised answer is one of the accepted ones: nothing missing, nothing added."""
    return normalise(answer) in {normalise(right) for right in accepted}


def contains(answer: str, accepted: Sequence[str]) -> bool:
    """Whether the normalised answer contains an accepted answer as consecutive whole words."""
    words = normalise(answer)
    return any(_stands_in(normalise(right), words) for right in accepted)


def _stands_in(wanted: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words) - len(wanted) + 1))


def _is_punctuation(character: str) -> bool:
    return character in _ASCII_PUNCTUATION or unicodedata.category(character).startswith("P")
