"""Fields of a config file changed in its text: comments, order and everything else stay as they are."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
# Characters that YAML must have escaped.
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_INDENT = 2


def edited(text: str, changes: Mapping[str, Any]) -> str:
    """`text`, one YAML mapping, with each dotted field set to its value; None removes the field.

    A field or section that is missing is added at the end of its mapping. A list is written on one line, or, if it
    had a line per item, with a line per item; comments of the items that stay are kept.
    """
    for field, value in changes.items():
        text = _with(text, field.split("."), value)
    return text


def _with(text: str, path: Sequence[str], value: Any) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    node: Node = root if isinstance(root, MappingNode) else MappingNode("tag:yaml.org,2002:map", [])
    emptied: tuple[Node, Node] | None = None
    for depth, key in enumerate(path):
        entry = _entry(node, key)
        if entry is None:
            return text if value is None else _added(text, node, path[depth:], value, depth)
        if depth == len(path) - 1:
            if value is not None:
                return _replaced(text, entry[1], value)
            alone = len(node.value) == 1
            return _removed(text, emptied if alone and emptied else entry)
        # A section without any remaining field is removed, too.
        emptied = (emptied or entry) if depth and len(node.value) == 1 else entry
        node = entry[1]
    return text


def _entry(node: Node, key: str) -> tuple[Node, Node] | None:
    if not isinstance(node, MappingNode):
        return None
    return next(((name, value) for name, value in node.value if getattr(name, "value", None) == key), None)


def _replaced(text: str, node: Node, value: Any) -> str:
    if isinstance(node, SequenceNode) and not node.flow_style and isinstance(value, list) and node.value:
        return _items(text, node, value)
    begin, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, ScalarNode | SequenceNode) and begin < end:
        kept = text[begin:end].rstrip()  # A block's end is the beginning of what follows it.
        return text[:begin] + _written(value) + text[begin + len(kept) :]
    return text[:begin] + _written(value) + text[end:]


def _items(text: str, node: SequenceNode, wanted: list[Any]) -> str:
    """A block list: removed items lose their line, new items get a line after the last."""
    if not wanted:
        begin = text.rfind("\n", 0, node.value[0].start_mark.index)
        return f"{text[:begin]} []{text[_line_end(text, node.value[-1]) :]}"
    last = node.value[-1]
    column = text.rfind("-", 0, node.value[0].start_mark.index) - _line_begin(text, node.value[0])
    present = [item.value for item in node.value]
    new = [value for value in wanted if str(value) not in present]
    end = _line_end(text, last)
    added = "".join(f"\n{' ' * column}- {_written(value)}" for value in new)
    text = text[:end] + added + text[end:]
    for item in reversed(node.value):
        if item.value not in map(str, wanted):
            text = text[: _line_begin(text, item)] + text[_line_end(text, item) + 1 :]
    return text


def _removed(text: str, entry: tuple[Node, Node]) -> str:
    key, value = entry
    begin, end = (
        _line_begin(text, key),
        _line_end(text, value if value.start_mark.index < value.end_mark.index else key),
    )
    if isinstance(value, SequenceNode | MappingNode) and not value.flow_style and value.value:
        last = value.value[-1]
        end = _line_end(text, last[1] if isinstance(last, tuple) else last)
    return text[:begin] + text[end + 1 :]


def _added(text: str, node: Node, path: Sequence[str], value: Any, depth: int) -> str:
    """The rest of the path below a mapping, after its last entry."""
    if isinstance(node, MappingNode) and node.flow_style:
        inner = "".join(f"{key}: " if not index else f"{{{key}: " for index, key in enumerate(path))
        at = node.end_mark.index - 1
        comma = ", " if node.value else ""
        return f"{text[:at]}{comma}{inner}{_written(value)}{'}' * (len(path) - 1)}{text[at:]}"
    entries = node.value if isinstance(node, MappingNode) else []
    column = entries[0][0].start_mark.column if entries else depth * _INDENT
    lines = [f"{' ' * (column + index * _INDENT)}{key}:" for index, key in enumerate(path)]
    lines[-1] += f" {_written(value)}"
    at = _end_of(text, entries[-1][1], entries[-1][0]) if entries else len(text.rstrip("\n"))
    return f"{text[:at]}\n{chr(10).join(lines)}{text[at:] or chr(10)}"


def _end_of(text: str, node: Node, key: Node) -> int:
    """End of the last line of an entry, its comment included."""
    while isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        key, node = last if isinstance(last, tuple) else (last, last)
    return _line_end(text, node if node.start_mark.index < node.end_mark.index else key)


def _line_begin(text: str, node: Node) -> int:
    return text.rfind("\n", 0, node.start_mark.index) + 1


def _line_end(text: str, node: Node) -> int:
    end = node.start_mark.index + len(text[node.start_mark.index : node.end_mark.index].rstrip())
    found = text.find("\n", end)
    return len(text) if found < 0 else found


def _written(value: Any) -> str:
    """A value in YAML's flow style; JSON is one, and plain words need no quotes."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not isinstance(yaml.safe_load(value), bool | None):
        return value
    return _UNPRINTABLE.sub(lambda found: f"\\U{ord(found[0]):08x}", json.dumps(value, ensure_ascii=False))
