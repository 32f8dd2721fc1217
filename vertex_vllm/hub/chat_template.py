"""A repository's chat template: whether there is one, and which marks of tool calls and thoughts it holds."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from vertex_vllm.catalog.parser_table import TOOLS, marks_of
from vertex_vllm.model.file_reader import AnyFile, FileReader
from vertex_vllm.model.repository_kind import is_mistral_common

FILE = "chat_template.jinja"
_FOLDER = "additional_chat_templates/"
# Bytes. The longest template known, of a model with many tools, has 20 kB.
_LONGEST = 1 << 20
# mistral-common writes the template itself, with tools.
_OF_MISTRAL_COMMON = ("[TOOL_CALLS]", TOOLS)


def has_chat_template(tokenizer_config: Mapping[str, object]) -> bool:
    """True when a tokenizer_config.json (or chat_template.json) holds a template, or a list of named ones."""
    return bool(tokenizer_config.get("chat_template"))


def chat_template_of(
    reader: FileReader[AnyFile],
    listing: Sequence[AnyFile],
    tokenizer_config: Mapping[str, object],
    read_json: Callable[[str], Mapping[str, object] | None],
) -> tuple[bool, tuple[str, ...]]:
    """Whether the model chats, and the marks of all its templates together. `read_json`: path → content, or None."""
    if is_mistral_common(listing):
        return True, _OF_MISTRAL_COMMON
    saved = read_json("chat_template.json") or {}
    texts = [*_texts(tokenizer_config), *_texts(saved), *_files(reader, listing)]
    chats = bool(texts) or has_chat_template(tokenizer_config) or has_chat_template(saved)
    chats = chats or any(file.path == FILE for file in listing)
    return chats, marks_of("\n".join(texts)) if texts else ()


def _texts(config: Mapping[str, object]) -> Iterator[str]:
    """The one template, or each of a list of named ones."""
    found = config.get("chat_template")
    for each in found if isinstance(found, list) else [found]:
        text = each.get("template") if isinstance(each, Mapping) else each
        if isinstance(text, str) and text:
            yield text


def _files(reader: FileReader[AnyFile], listing: Sequence[AnyFile]) -> Iterator[str]:
    for file in listing:
        named = file.path == FILE or (file.path.startswith(_FOLDER) and file.path.endswith(".jinja"))
        if named and 0 < file.size <= _LONGEST:
            yield reader.read(file).decode("utf-8", "replace")
