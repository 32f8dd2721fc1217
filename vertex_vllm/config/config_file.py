"""Reads a YAML file into a `Deployment`, or into all its faults, line by line."""

from collections.abc import Iterable
from pathlib import Path

from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.catalogue_check import Fault, check_against_catalog
from vertex_vllm.config.consent_check import check_consent
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.config.schedule_check import check_schedules
from vertex_vllm.config.validation import salvaged, validate
from vertex_vllm.config.yaml_document import Document, DocumentError, read_document
from vertex_vllm.encoded_text import utf8_text
from vertex_vllm.error_data import ConfigFault
from vertex_vllm.errors import ConfigError


def load_deployment(path: Path | str) -> Deployment:
    """The deployment that a file describes, checked against the catalogue too.

    Raises:
        ConfigError: all faults of the file, one line each: `file:line: field: what. What to do.`
    """
    path = Path(path)
    try:
        text = _text(path)
    except DocumentError as error:
        raise ConfigError([ConfigFault(str(path), error.line, "", error.message)]) from None
    return parse_deployment(text, str(path))


def parse_deployment(text: str, name: str) -> Deployment:
    """As `load_deployment`, for a file's text; `name` is the file's name, which each fault begins with."""
    try:
        document = read_document(text)
    except DocumentError as error:
        raise ConfigError([ConfigFault(name, error.line, "", error.message)]) from None
    deployment, faults = validate(document.values)
    faults = _with_unreadable(faults, document)
    faults += _further(
        deployment if deployment is not None and not faults else salvaged(document.values, faults), faults
    )
    lines = _located(name, document, faults)
    if deployment is None or lines:
        raise ConfigError(lines)
    return deployment


def _further(deployment: Deployment | None, told: Iterable[Fault]) -> list[Fault]:
    """Faults that only a whole deployment shows, except at fields that already have a fault."""
    if deployment is None:
        return []
    found = (
        *check_against_catalog(deployment, load_catalog()),
        *check_consent(deployment),
        *check_schedules(deployment),
    )
    before = [fault.path for fault in told]
    return [fault for fault in found if not any(path[: len(fault.path)] == fault.path for path in before)]


def located(text: str, name: str, faults: Iterable[Fault]) -> list[ConfigFault]:
    """Faults that another check found in a valid file, in the form of `load_deployment`'s own."""
    return _located(name, read_document(text), faults)


def _text(path: Path) -> str:
    """Raises DocumentError where the file cannot be read as text."""
    try:
        return utf8_text(path.read_bytes())
    except FileNotFoundError:
        raise DocumentError(1, "no such file") from None
    except ValueError as error:
        raise DocumentError(1, str(error)) from None
    except OSError as error:
        raise DocumentError(1, f"cannot be read: {error.strerror}") from None


def _with_unreadable(faults: Iterable[Fault], document: Document) -> list[Fault]:
    """At most a fault per field: unknown field, then unreadable value, then wrong type."""
    unknown = {fault.path for fault in faults if fault.unknown}
    unreadable = {path: Fault(path, message) for path, message in document.unreadable if path not in unknown}
    return [*unreadable.values(), *(fault for fault in faults if fault.path not in unreadable)]


def _located(path: str, document: Document, faults: Iterable[Fault]) -> list[ConfigFault]:
    lines = [(document.line(fault.path), _dotted(fault.path), fault.message) for fault in faults]
    for line, key in document.repeated:
        lines.append((line, _dotted(key), f"given again, after line {document.lines[key]}. Keep one of them"))
    return [ConfigFault(path, line, name, message) for line, name, message in sorted(lines)]


def _dotted(path: tuple[str | int, ...]) -> str:
    name = ""
    for part in path:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            # Quoted, because blanks at a key's ends are invisible and a line break would begin another line.
            shown = part if part and part == part.strip() and part.isprintable() else repr(part)
            name += f".{shown}" if name else shown
    return name or "(whole file)"
