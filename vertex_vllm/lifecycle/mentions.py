"""Finds the prefixes of Cloud Storage that texts mention, in any spelling: arguments, variables, JSON in either.

In doubt a prefix counts as mentioned, because the caller is about to delete it.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from html import unescape
from posixpath import normpath
from typing import Any
from urllib.parse import unquote

_BUCKET = r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
# Cloud Storage, "Request endpoints": also regional ones, mutual TLS, Private Service Connect, downloads, older hosts.
_HOST = r"(?:commondata)?storage(?:[.-][a-z0-9.-]{0,80})?\.google(?:apis)?\.com(?::\d+)?"
# In front of a bucket's name: gs://, a mounted bucket, the services' hosts with their paths, resource names.
_BEFORE_BUCKET = (
    r"(?:gc?s:/+|/gcs/+|/mnt/disks/gcs/+"
    rf"|(?:{_HOST}/+)?projects/_/buckets/+"
    rf"|{_HOST}/+(?:(?:download/|upload/)?storage/v1/b/+)?"
    r"|console\.cloud\.google\.com/storage/browser/(?:_details/)?|/storage/v1/b/+)"
)
_BEHIND_BUCKET = r"(?:/(?:o|objects)(?=/))?"
# Up to a character that ends a path, or that begins a pattern or a variable in it.
_PATH = r"((?:/[^\s\"'`<>|;,{}()\[\]*?#$%]*)?)([<{\[*?$%]?)"
_PLACES = (
    re.compile(rf"{_BEFORE_BUCKET}({_BUCKET}){_BEHIND_BUCKET}{_PATH}", re.IGNORECASE),
    # A bucket as a host of its own.
    re.compile(rf"//({_BUCKET})\.{_HOST}{_PATH}", re.IGNORECASE),
)
_BEFORE_PATH = re.compile(rf"(?:{_BEFORE_BUCKET}{_BUCKET}/+(?:o/|objects/)?|//{_BUCKET}\.{_HOST}/+)$", re.IGNORECASE)
# End of a path: no further character of a name.
_END = r"(?![\w-]|\.\w)"
_MOST_ENCODINGS = 3


class Mentions:
    """Texts that may name prefixes."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = frozenset(spelled for text in texts for spelled in _spellings(text))

    def cover(self, bucket: str, path: str) -> bool:
        """True if a text names `gs://bucket/path`, a prefix below it, or a prefix above it."""
        own = path.strip("/")
        if any(other == bucket and _one_below_the_other(prefix, own) for other, prefix in self._prefixes):
            return True
        return any(self._names(text, bucket, own) for text in self._texts)

    @cached_property
    def _prefixes(self) -> frozenset[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for text in self._texts:
            for pattern in _PLACES:
                found |= {(match[1].lower(), _tidy(match[2], match[3])) for match in pattern.finditer(text)}
        return frozenset(found)

    @staticmethod
    def _names(text: str, bucket: str, path: str) -> bool:
        """Whether a text has bucket and path in another form, or path or commit alone: too long for chance."""
        if re.search(rf"(?<![\w.-]){re.escape(bucket)}/+(?:o/)?{re.escape(path)}{_END}", text):
            return True
        commit = path.rpartition("/")[2]
        if re.fullmatch(r"[0-9a-f]{40}", commit) and re.search(rf"(?<![\w/.-]){commit}(?![\w/.-])", text):
            return True
        if "/" not in path:
            return False
        for match in re.finditer(rf"(?<![\w-]){re.escape(path)}{_END}", text):
            # The path is in another bucket: the same model, mirrored twice.
            if not _BEFORE_PATH.search(text[: match.start()]):
                return True
        return False


def texts_of(value: Any) -> list[str]:
    """All strings in nested lists and dicts, keys among them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in texts_of(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in texts_of(each)]
    return []


def _one_below_the_other(prefix: str, own: str) -> bool:
    return not prefix or f"{own}/".startswith(f"{prefix}/") or f"{prefix}/".startswith(f"{own}/")


def _spellings(text: str) -> list[str]:
    """The text as it is, and decoded: without the escapes of JSON and HTML and without percent-encoding."""
    spelled = [text]
    escape = r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))"
    plain = re.sub(escape, lambda found: chr(int(found[1] or found[2], 16)), unescape(text))
    plain = plain.replace("\\/", "/")
    spelled.append(plain.replace('\\"', '"'))
    for _ in range(_MOST_ENCODINGS):
        plain = unquote(plain)
        spelled.append(plain)
    return [re.sub(r"/{2,}", "/", each).replace(":/", "://") for each in dict.fromkeys(spelled)]


def _tidy(path: str, open_end: str) -> str:
    """The path without dots, without slashes at its ends, and without punctuation after it.

    `open_end`: the character after the path where a pattern or variable begins there. Then the path's last part, which
    may continue, is left out.
    """
    if open_end:
        path = path.rpartition("/")[0]
    return normpath("/" + re.sub(r"[.:&=\\]+$", "", path.strip("/"))).strip("/")
