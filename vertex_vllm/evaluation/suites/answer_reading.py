"""The number and the option that an answer names, however people and models write them."""

import re
from collections.abc import Sequence

from vertex_vllm.evaluation.quality import contains

_SEPARATORS = ",\u00a0\u2009\u202f'’ "
_NUMBER = re.compile(
    rf"""
    (?P<sign>(?<![\w)\]])[-+−])?                     # not the dash of 3-5
    (?:(?<![A-Za-z_0-9.])|(?<=\b[A-Z]{{3}}))         # not the 2 of CO2 or m2, but the 5 of EUR5
    (?:
      (?P<dotted>\d{{1,3}}(?:\.\d{{3}})+,\d+)        # 1.234,56
    | (?P<grouped>(?:\d{{1,3}}(?P<by>[{_SEPARATORS}])\d{{3}}(?:(?P=by)\d{{3}})*  # 1,234,567.8
                  |\d{{1,2}}(?:,\d\d)+,\d{{3}})(?!\d)(?:\.\d+)?)                # 12,34,567.8
    | (?P<plain>\d+(?:\.\d+)?|(?<!\d)\.\d+)
    )
    (?:[eE](?P<exponent>[-+]?\d{{1,3}})(?!\w)|\s?[×x*·]\s?10(?:\^|\*\*)\{{?(?P<power>[-+−]?\d{{1,3}})\}}?)?
    """,
    re.VERBOSE,
)
_LETTER = "[A-J](?![A-Za-z0-9'’])"
_FIRST_LETTER = re.compile(rf"\W*({_LETTER})", re.IGNORECASE)
_SECOND_LETTER = re.compile(rf"\W*(?:or\b|and\b|[,/&])\W*(?:or\b|and\b)?\W*{_LETTER}")
_WORD_AFTER = re.compile(r"\s+(?!(?:is|because|since|as)\b)[A-Za-z]")
_STATED = re.compile(rf"(?i:\banswer(?:\s+is)?(?:\s+option)?)[\s:*_(\[\"'`]*({_LETTER})")
_ALONE = re.compile(rf"(?<![A-Za-z0-9'’])(?![AI]\s+[a-z])({_LETTER})")


def last_number(text: str) -> float | None:
    """The last number of a text, with thousands separators, exponent and sign; None where it has none.

    Digits within words (CO2, m2) are not numbers. A single comma before other than three digits separates two numbers.
    """
    found = list(_NUMBER.finditer(text))
    return _value(found[-1]) if found else None


def named_option(text: str, options: Sequence[str]) -> int | None:
    """Index of the option that an answer names by its letter or its text; None where it names none or several.

    In this order: a letter at the beginning, a letter after the word "answer", the text of one option, a letter that
    stands alone. `A` and `I` before a word are words, unless nothing else names an option.
    """
    first = _FIRST_LETTER.match(text)
    if first and _SECOND_LETTER.match(text, first.end()):
        return None
    if first and not (first[1] in "AIai" and _WORD_AFTER.match(text, first.end())):
        return _index(first[1], options)
    if stated := _STATED.findall(text):
        return _index(stated[-1], options)
    named = [number for number, option in enumerate(options) if contains(text, [option])]
    if named:
        return named[0] if len(named) == 1 else None
    alone = set(_ALONE.findall(text))
    return _index(alone.pop(), options) if len(alone) == 1 else None


def _index(letter: str, options: Sequence[str]) -> int | None:
    place = ord(letter.upper()) - ord("A")
    return place if place < len(options) else None


def _value(found: re.Match[str]) -> float:
    if dotted := found["dotted"]:
        digits = dotted.replace(".", "").replace(",", ".")
    else:
        digits = re.sub(f"[{_SEPARATORS}]", "", found["grouped"] or found["plain"])
    power = (found["exponent"] or found["power"] or "0").replace("−", "-")
    sign = "-" if found["sign"] in ("-", "−") else ""
    return float(f"{sign}{digits}e{power}")
