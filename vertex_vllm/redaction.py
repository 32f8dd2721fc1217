"""Removes tokens from all text that leaves this process: output, logs, tracebacks, artifacts, arguments of other
programs.

No code of this project writes a token there. Redaction covers errors of other packages, and future mistakes.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from vertex_vllm.errors import InputError, VertexVllmError
from vertex_vllm.plain_text import plain
from vertex_vllm.secret_shapes import ENCODED, REDACTED, SHAPES, decoded_texts, forms_of

# Characters. A shorter secret would redact ordinary words.
_SHORTEST_SECRET = 8
_KNOWN: dict[str, tuple[re.Pattern[str], ...]] = {}
# Letters that a pattern takes for `i` and `s` when it ignores case, and that `str.lower` keeps apart from them.
_OTHER_CASES = str.maketrans("İıſ", "iis")

_PROCESS_EVENTS = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system"}
_depth = 0
_hooked = False


def remember(secret: str | None) -> None:
    """From now on, `redact` removes `secret`, also escaped, in base64 or in hex. Code that reads a secret calls it."""
    if secret and len(secret) >= _SHORTEST_SECRET and secret not in _KNOWN:
        _KNOWN[secret] = forms_of(secret)


def redact(text: str) -> str:
    """`text` without what is, or looks like, a secret. Redacting twice changes nothing more."""
    for forms in tuple(_KNOWN.values()):
        for form in forms:
            text = form.sub(REDACTED, text)
    lowered = (text if text.isascii() else text.translate(_OTHER_CASES)).lower()
    for shape in SHAPES:
        # Most lines of a log have none of the words, and a search for words is cheap.
        if not shape.words or any(word in lowered for word in shape.words):
            text = shape.pattern.sub(rf"\1{REDACTED}", text)
    return ENCODED.sub(_without_encoded, text)


def _without_encoded(match: re.Match[str]) -> str:
    """Base64 whose content holds a secret is removed as a whole."""
    return REDACTED if any(map(holds_secret, decoded_texts(match[0]))) else match[0]


def holds_secret(text: str) -> bool:
    """Whether `redact` would remove anything from `text`."""
    return redact(text) != text


def redacted(value: Any) -> Any:
    """`value`, a JSON value, with every text in it redacted, keys included.

    For values that are escaped afterwards, as JSON or HTML: an escaped secret is harder to find.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redacted(key): redacted(one) for key, one in value.items()}
    return [redacted(one) for one in value] if isinstance(value, list | tuple) else value


def secrets_in(value: Any, where: str = "") -> Iterator[str]:
    """Places in a JSON value whose text holds a secret, such as `serving.extra_args[1]`; `where` is the value's own."""
    if isinstance(value, str) and holds_secret(value):
        yield where
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from secrets_in(one, f"{where}.{redact(str(key))}".removeprefix("."))
    if isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from secrets_in(one, f"{where}[{index}]")


def refuse_secrets(value: Any, where: str = "") -> None:
    """Raises InputError that names the place of a secret in `value`, and does not repeat the secret."""
    for place in secrets_in(value, where):
        raise InputError(
            "holds what looks like a token or a key, and everybody who sees the run reads it",
            where=place,
            fix="Put it into Secret Manager and name the secret; revoke it if others saw it.",
        )


@contextmanager
def redacting() -> Iterator[None]:
    """While the body runs, redacts standard output and error, tracebacks included, and every log record.

    Raises VertexVllmError where another program is about to be started with a secret among its arguments, which
    everybody on the machine could read. Does not reach what is written to `sys.stdout.buffer`.
    """
    global _depth
    output, errors, factory = sys.stdout, sys.stderr, logging.getLogRecordFactory()
    _guard_arguments()

    def redacted_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return _redact_record(factory(*args, **kwargs))

    sys.stdout, sys.stderr = _Redacting(output), _Redacting(errors)
    logging.setLogRecordFactory(redacted_record)
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        logging.setLogRecordFactory(factory)
        sys.stdout, sys.stderr = output, errors


class _Redacting:
    """A text stream that redacts every write; other attributes are the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(redact(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _redact_record(record: logging.LogRecord) -> logging.LogRecord:
    try:
        record.msg, record.args = plain(redact(record.getMessage())), ()
    except (TypeError, ValueError):
        return record  # A malformed message, which logging itself reports on standard error.
    if record.exc_info and record.exc_info[0]:
        record.exc_text = plain(redact("".join(traceback.format_exception(*record.exc_info))).rstrip("\n"))
    return record


def _guard_arguments() -> None:
    """Installs one audit hook, which acts only while a redaction is active: Python cannot remove audit hooks."""
    global _hooked
    if not _hooked:
        _hooked = True
        sys.addaudithook(_refuse_secrets)


def _refuse_secrets(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _PROCESS_EVENTS or not _depth:
        return
    words = arguments[0] if event == "os.system" else arguments[2 if event == "os.spawn" else 1]
    for word in [words] if isinstance(words, str | bytes) else list(words):
        text = word.decode(errors="replace") if isinstance(word, bytes) else str(word)
        if holds_secret(text):
            raise VertexVllmError(
                "a token was about to be given to another program as an argument, which everybody can read",
                fix="Hand it over in a file or in the environment.",
            )
