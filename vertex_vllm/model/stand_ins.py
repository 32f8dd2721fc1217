"""Recognises a pointer, a web page or an empty file in the place of the file that was asked for. Pure."""

import re

# Placeholders in a clone for a file whose content was not fetched: git-lfs, "The pointer", and its name before 2014;
# xet-core, git_xet; git-annex, "pointer file format".
_POINTERS = (
    (re.compile(rb"version https?://(?:git-lfs|hawser|git-media)\.\S+/spec/"), "Git LFS"),
    (re.compile(rb"# xet version "), "Git Xet"),
    (re.compile(rb"/annex/objects/|(?:\.\./)*\.git/annex/objects/"), "git-annex"),
)
_HTML = re.compile(rb"(?is)\s*(<!doctype html|<html[\s>]|<\?xml\s)")


def pointer_fault(opening: bytes) -> str:
    """The system whose pointer begins so, in words; empty for any other file."""
    found = next((system for pattern, system in _POINTERS if pattern.match(opening)), "")
    return f"is a pointer of {found}, not the file that it points to" if found else ""


def is_page(opening: bytes) -> bool:
    """Whether a web page begins so."""
    return bool(_HTML.match(opening))


def stand_in(opening: bytes) -> str:
    """The kind of stand-in that begins so, in words; empty where the bytes may be the file itself."""
    if not opening:
        return "is empty"
    return pointer_fault(opening) or ("is a web page (HTML or XML)" if is_page(opening) else "")
