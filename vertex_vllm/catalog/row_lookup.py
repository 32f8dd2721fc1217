"""A large table of the catalogue whose rows are parsed when they are asked for: a plan needs few of hundreds.

Each row is one line, `  - {KEY: NAME, …}`, as the tables are written (tools/version_tables.py).
"""

from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Generic, TypeVar

import yaml

from vertex_vllm.catalog.rows import Source, SourcedRow

RowType = TypeVar("RowType", bound=SourcedRow)
# The C loader takes a tenth of the time; a build of PyYAML without it still works.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RowLookup(Mapping[str, RowType], Generic[RowType]):
    """The rows of `catalog/NAME.yaml` by the field `key`. Iterating parses all, and then raises ValueError for two rows
    of one name or an unknown source."""

    def __init__(self, name: str, row_type: type[RowType], key: str) -> None:
        self._text = resources.files("vertex_vllm.catalog").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        self._name, self._type, self._key = name, row_type, key
        self._head, _, self._body = self._text.partition(f"\n{name}:\n")
        self._found: dict[str, RowType | None] = {}
        self._all: dict[str, RowType] | None = None
        header: dict[str, Any] = yaml.load(self._head, Loader=LOADER)
        self.checked: tuple[str, ...] = tuple(header["checked"])
        """vLLM releases that were read."""
        self._sources = {label: Source.model_validate(source) for label, source in header["sources"].items()}

    def __getitem__(self, name: str) -> RowType:
        row = self._all.get(name) if self._all is not None else self._one(name)
        if row is None:
            raise KeyError(name)
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def _one(self, name: str) -> RowType | None:
        if name not in self._found:
            self._found[name] = self._search(name)
        return self._found[name]

    def _search(self, name: str) -> RowType | None:
        for spelled in (name, f'"{name}"'):
            start = self._body.find(f"  - {{{self._key}: {spelled}, ")
            if start >= 0 and "\n" not in name:
                fields = yaml.load(self._body[start : self._body.find("\n", start)], Loader=LOADER)[0]
                # A name that holds a piece of a row would find a row of another name.
                return self._row(fields) if fields[self._key] == name else None
        return None

    def _row(self, fields: Mapping[str, Any]) -> RowType:
        unknown = set(fields["source"]) - set(self._sources)
        if unknown:
            raise ValueError(f"{self._name}: {fields[self._key]}: unknown source {sorted(unknown)}")
        return self._type.model_validate(
            {**fields, "source": tuple(self._sources[label] for label in fields["source"])}
        )

    def _whole(self) -> dict[str, RowType]:
        if self._all is None:
            rows: dict[str, RowType] = {}
            for fields in yaml.load(self._text, Loader=LOADER)[self._name]:
                if fields[self._key] in rows:
                    raise ValueError(f"{self._name}: {fields[self._key]}: a second row of that name")
                rows[fields[self._key]] = self._row(fields)
            self._all = rows
        return self._all
