"""YAML that somebody else wrote: a compiled pipeline of a pull request, an export of a log."""

from typing import Any

import yaml

# libyaml composes nested nodes by recursion in C, which ends the process at some 50,000. A spec has about 20 levels.
_DEEPEST = 100
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def parsed(text: str | bytes) -> Any:
    """The value of the only document in `text`, None where there is none. Raises ValueError for anything else, also
    for what is nested too deeply to be read."""
    found = _documents(text, _LOADER)
    if len(found) > 1:
        raise ValueError(f"{len(found)} documents, where one is expected")
    return found[0] if found else None


def texts_of_documents(text: str | bytes) -> list[Any]:
    """The documents in `text`, each scalar as it is written. Raises ValueError as `parsed`."""
    return _documents(text, _TEXT_LOADER)


def _documents(text: str | bytes, loader: Any) -> list[Any]:
    try:
        _refuse_deep(text, loader)
        return list(yaml.load_all(text, Loader=loader))
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_deep(text: str | bytes, loader: Any) -> None:
    """Raises ValueError: from the parser's events, without recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"nested more than {_DEEPEST} deep")
