"""Python code that a repository's configs would have run: `auto_map`, at any depth of any of them."""

import re
from collections.abc import Iterator, Mapping

# Configs that transformers looks for `auto_map` in.
CONFIGS = (
    *("config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json"),
    *("video_preprocessor_config.json", "generation_config.json"),
)
# `other/repo--module.Class`: the code comes from another repository than the weights.
_FOREIGN = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)--")
_DEEPEST = 32


def code_references(config: object, depth: int = 0) -> Iterator[str]:
    """Every class that an `auto_map` names, as written; a reference that is not a string counts by its
    representation."""
    if depth > _DEEPEST:
        return
    if isinstance(config, Mapping):
        for key, value in config.items():
            yield from _named(value) if key == "auto_map" else code_references(value, depth + 1)
    elif isinstance(config, list):
        for item in config:
            yield from code_references(item, depth + 1)


def foreign_repositories(references: Iterator[str]) -> tuple[str, ...]:
    """Other repositories whose code would be run, in alphabetical order."""
    found = (_FOREIGN.match(reference) for reference in references)
    return tuple(sorted({match["repository"] for match in found if match}))


def _named(value: object) -> Iterator[str]:
    """An `auto_map` maps each kind to a class, or to a slow and a fast one; it may also be the class itself."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _named(each)
    elif isinstance(value, list):
        for each in value:
            yield from _named(each)
    elif value is not None:
        yield str(value)[:300]
