"""One YAML document as plain values with their lines; nothing in it can run code, expand aliases or nest deeply."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from vertex_vllm.encoded_text import utf8_text

# A config with all fields is 3 KB: no file that is written by hand is as large as this limit.
SIZE_LIMIT = 64 * 1024
DEPTH_LIMIT = 8

Path = tuple[str | int, ...]
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null")}

# YAML 1.1: numbers of base 8, 16, 2 and 60, which YAML 1.2 and people read otherwise.
_ODD_NUMBER = re.compile(r"[-+]?(?:0[0-9_xb]|.*:)")


class DocumentError(Exception):
    """The text is not one plain YAML mapping. `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass
class Document:
    """Values, the line of each, and the nodes of the file that are not plain values."""

    values: dict[str, Any]
    lines: dict[Path, int] = field(default_factory=dict)
    """Path of keys and indexes → line of the key, from 1; the root has line 1."""
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    """Values that are missing or of no plain type, and what is wrong with them."""
    repeated: list[tuple[int, Path]] = field(default_factory=list)
    """Lines with a key that the same mapping had before; the first one counts."""

    def line(self, path: Path) -> int:
        """Line of the value, or of the nearest thing around it that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_document(text: str) -> Document:
    """The text's only document. Raises DocumentError if it is too large, not YAML, not one document, or no mapping."""
    if len(text.encode("utf-8", "surrogatepass")) > SIZE_LIMIT:
        raise DocumentError(1, f"larger than {SIZE_LIMIT // 1024} KB, which no config is")
    _refuse_encoding(text)
    try:
        _refuse_tricks(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(mark.line + 1 if mark else 1, f"no valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DocumentError(1, f"no valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(root, MappingNode):
        raise DocumentError(1, "must be a mapping of fields, beginning with name:")
    document = Document({})
    document.values = _mapping(root, (), document)
    return document


def _refuse_encoding(text: str) -> None:
    """Raises DocumentError that names the encoding of bytes which `surrogateescape` kept in the text."""
    try:
        utf8_text(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise DocumentError(1, "is not UTF-8 text: half a character. Save it as UTF-8") from None
    except ValueError as error:
        raise DocumentError(1, str(error)) from None


def _refuse_tricks(text: str) -> None:
    """Raises DocumentError for aliases, deep nesting and a second document: from the parser's events, no recursion."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, AliasEvent):
            raise DocumentError(
                line, f"alias *{event.anchor}: anchors and aliases are not allowed. Write the value out"
            )
        if isinstance(event, DocumentStartEvent):
            documents += 1
        elif isinstance(event, CollectionStartEvent):
            depth += 1
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
        if documents > 1:
            raise DocumentError(line, "a second document. Put each deployment into a file of its own")
        if depth > DEPTH_LIMIT:
            raise DocumentError(line, f"nested more than {DEPTH_LIMIT} deep, which no config is")


def _mapping(node: MappingNode, path: Path, document: Document) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value) if isinstance(key_node, ScalarNode) else "?"
        line = key_node.start_mark.line + 1
        here = (*path, key)
        if here in document.lines:
            document.repeated.append((line, here))
        else:
            document.lines[here] = line
            values[key] = _value(value_node, here, document)
    return values


def _value(node: Node, path: Path, document: Document) -> Any:
    if isinstance(node, MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, SequenceNode):
        return list(_items(node, path, document))
    return _scalar(node, path, document)


def _items(node: SequenceNode, path: Path, document: Document) -> Iterator[Any]:
    for index, item in enumerate(node.value):
        document.lines[(*path, index)] = item.start_mark.line + 1
        yield _value(item, (*path, index), document)


def _scalar(node: Node, path: Path, document: Document) -> Any:
    if node.tag not in _PLAIN_TAGS:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        document.unreadable.append((path, f"is read as a {kind}. Put it in quotes if it is meant as text"))
        return None
    try:
        value = SafeConstructor().construct_object(node)
    except (ConstructorError, ValueError, OverflowError):
        document.unreadable.append((path, "cannot be read as a number. Put it in quotes if it is meant as text"))
        return None
    if isinstance(value, int | float) and _ODD_NUMBER.match(str(node.value)):
        said = f"{node.value} is read as {value}. Write {value}, or put it in quotes if it is meant as text"
        document.unreadable.append((path, said))
        return None
    if value is None or value == "":
        document.unreadable.append((path, "is empty. Give it a value, or leave the line out"))
    return value
