"""Tokens out of whatever leaves this process as text: output, logs, tracebacks, artifacts, arguments of other programs.

No code of ours puts a token there. This is for what other people's code says when it fails, and for our next mistake.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from vertex_vllm.errors import VertexVllmError

REDACTED = "[redacted]"
# A shorter one would redact half the words of a log.
_SHORTEST_SECRET = 8
_KNOWN: set[str] = set()

_SHAPES = tuple(
    re.compile(shape)
    for shape in (
        # Hugging Face's tokens; Google's access tokens; a signed identity (JWT).
        r"(?<![A-Za-z0-9])()hf_[A-Za-z0-9]{16,}",
        r"()ya29\.[A-Za-z0-9_-]{8,}",
        r"(?<![A-Za-z0-9])()eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"(?s)()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
        r"(?i)(authorization['\"]?\s*[:=,]\s*(?:b(?=['\"]))?['\"]?(?:(?:bearer|basic)\s+)?)(?!b?['\"]?\[redacted\]|bearer\b|basic\b)[^\s'\",;)}\]]+",
        r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/-]{16,}=*",
        # Queries of signed URLs: Cloud Storage (V4, V2), and what the Hub redirects to (CloudFront, S3).
        r"(?i)([?&](?:x-goog-signature|x-goog-credential|x-amz-signature|x-amz-credential|x-amz-security-token|signature"
        r"|googleaccessid|policy|key-pair-id|access_token|token|upload_id)=)(?!\[redacted\])[^&\s'\"<>\\)]+",
    )
)
_PROCESS_EVENTS = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system"}
_depth = 0
_hooked = False


def remember(secret: str | None) -> None:
    """From now on redacts `secret`, whatever it looks like. For whoever reads one."""
    if secret and len(secret) >= _SHORTEST_SECRET:
        _KNOWN.add(secret)


def redact(text: str) -> str:
    """`text` without what is, or looks like, a secret. Twice comes to the same as once."""
    for secret in _KNOWN:
        text = text.replace(secret, REDACTED)
    for shape in _SHAPES:
        text = shape.sub(rf"\1{REDACTED}", text)
    return text


@contextmanager
def redacting() -> Iterator[None]:
    """For as long as it lasts, redacts standard output and error (tracebacks are among it) and every log record.

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
    """A text stream whose every write is redacted; all else is the stream's own."""

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
        record.msg, record.args = redact(record.getMessage()), ()
    except (TypeError, ValueError):
        return record  # A malformed message, of which logging itself tells on standard error.
    if record.exc_info and record.exc_info[0]:
        record.exc_text = redact("".join(traceback.format_exception(*record.exc_info))).rstrip("\n")
    return record


def _guard_arguments() -> None:
    """Hooks of Python's audit stay for ever: one, that looks only while somebody redacts."""
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
        if redact(text) != text:
            raise VertexVllmError(
                "a token was about to be given to another program as an argument, which everybody can read",
                fix="Hand it over in a file or in the environment.",
            )
