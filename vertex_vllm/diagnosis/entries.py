"""Log entries as JSON, one a line or one field a line: the text of each, with its own line breaks."""

import re

# Keys of Cloud Logging, of programs that log JSON, and of Docker's files. A value ends at its first unescaped quote.
_TEXT = re.compile(rb'"(?:textPayload|message|log)"[ ]?:[ ]?"(?P<text>(?:[^"\\\n]|\\.)*+)')
_TIME = re.compile(rb'"(?:timestamp|time)"[ ]?:[ ]?"(?P<time>\d{4}-\d\d-\d\dT[\d:.]{5,20}(?:Z|[+-]\d\d:\d\d))"')
# `parse_line` reads entries without escapes.
_ENTRY = re.compile(rb'^[ \t]*+(?:\{[ ]?"|"(?:textPayload|message|log)"[ ]?:)[^\\\n]*+\\.*$', re.MULTILINE)
_CODE = re.compile(rb"\\u(?P<code>[0-9a-fA-F]{4})")
# An escaped line feed becomes a carriage return, which ends a line for the scanner but is not counted: the entry keeps
# its number. An escaped backslash becomes a zero byte for the time being, so that the letter after it is no escape.
_ESCAPES = ((b"\\\\", b"\0"), (b"\\n", b"\r"), (b"\\r", b"\r"), (b"\\t", b" "), (b'\\"', b'"'), (b"\\/", b"/"))
_KEYS = (b'"textPayload"', b'"message"', b'"log"')


def without_json(data: bytes) -> bytes:
    """Replaces each entry with an escape, or its text's field, by its time and text; `data` are whole lines.

    The number of line feeds stays. A line break inside a text becomes a carriage return.
    """
    return _ENTRY.sub(_plain, data) if any(key in data for key in _KEYS) else data


def _plain(entry: re.Match[bytes]) -> bytes:
    text = _TEXT.search(entry[0])
    if text is None:
        return entry[0]
    time = _TIME.search(entry[0])
    said = _unescaped(text["text"])
    return time["time"] + b" " + said if time else said


def _unescaped(text: bytes) -> bytes:
    if b"\\" not in text:
        return text
    for escape, meant in _ESCAPES:
        text = text.replace(escape, meant)
    return _CODE.sub(_character, text).replace(b"\0", b"\\")


def _character(escape: re.Match[bytes]) -> bytes:
    return chr(int(escape["code"], 16)).encode("utf-8", "replace").replace(b"\n", b"\r")
