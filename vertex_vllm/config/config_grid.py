"""Variants of a config: every combination of values for some of its fields."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vertex_vllm.config.config_file import parse_deployment
from vertex_vllm.config.deployment import Deployment
from vertex_vllm.config.yaml_document import DocumentError, read_document
from vertex_vllm.config.yaml_edit import edited
from vertex_vllm.error_data import ConfigFault
from vertex_vllm.errors import ConfigError, InputError
from vertex_vllm.labels import experiment_id

MOST_VARIANTS = 64
_OPTION = "--over"
# Fields that each variant sets itself: it is a deployment of its own for the time of its run.
_FIXED = ("name", "keep_endpoint", "ttl", "deploy_on_change", "schedules", "google_cloud")
_NAME_CHARACTERS = 40
"""Of a deployment's name (shapes.DEPLOYMENT_NAME)."""


@dataclass(frozen=True)
class Variant:
    """A combination of values."""

    number: int
    """From 1."""
    changes: tuple[tuple[str, Any], ...]
    """Dotted field and its value."""
    text: str
    """The config with these values; comments and everything else as they were."""
    deployment: Deployment

    @property
    def label(self) -> str:
        return ", ".join(f"{field.rpartition('.')[2]}={_shown(value)}" for field, value in self.changes)

    def ephemeral(self, hours: float) -> Deployment:
        """The deployment that tries it: under its own name, torn down with its run, or by a sweep after `hours`.

        All are recorded in the one experiment of the config.
        """
        suffix = f"-try-{self.number}"
        name = self.deployment.name[: _NAME_CHARACTERS - len(suffix)].rstrip("-") + suffix
        asked = self.deployment.evaluation
        experiment = asked.experiment or experiment_id("", self.deployment.name)
        evaluation = asked.model_copy(update={"experiment": experiment})
        passing = {
            "name": name,
            "evaluation": evaluation,
            "keep_endpoint": False,
            "ttl": f"{max(round(hours), 1)}h",
            "schedules": [],
        }
        return self.deployment.model_copy(update=passing)


def parse_over(texts: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """`serving.max_num_seqs=64,256` as field and values; a value is read as in a config.

    Raises InputError for another form, a field or a value given twice, and fields that a variant cannot have of its
    own.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        field, equals, values = text.partition("=")
        parts = [part.strip() for part in values.split(",")]
        if not equals or "" in (*parts, *field.split(".")):
            fix = "Write FIELD=VALUE,VALUE, for example serving.max_num_seqs=64,256."
            raise InputError(f"`{text}` names no field with its values", where=_OPTION, fix=fix)
        if field in found:
            raise InputError(f"{field} is given twice", where=_OPTION, fix="Name all of its values in one option.")
        if field.partition(".")[0] in _FIXED:
            raise InputError(f"{field} cannot vary: each variant has its own", where=_OPTION)
        found[field] = tuple(map(_value, parts))
        if len(set(map(repr, found[field]))) < len(parts):
            raise InputError(
                f"`{text}` gives a value twice", where=_OPTION, fix="Each variant is a run: leave one out."
            )
    if not found:
        raise InputError("nothing varies", where=_OPTION, fix="Name a field and its values.")
    return found


def variants(text: str, name: str, over: dict[str, tuple[Any, ...]]) -> tuple[Variant, ...]:
    """Every combination, the last field varying fastest. `name`: of the config's file.

    Raises ConfigError with the faults of all combinations, InputError for more than MOST_VARIANTS.
    """
    combinations = list(_combinations(over))
    if len(combinations) > MOST_VARIANTS:
        raise InputError(f"{len(combinations)} combinations are more than {MOST_VARIANTS}", where=_OPTION)
    found: list[Variant] = []
    faults: list[ConfigFault] = []
    for number, changes in enumerate(combinations, 1):
        changed = edited(text, dict(changes))
        try:
            found.append(Variant(number, changes, changed, parse_deployment(changed, name)))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(tuple(dict.fromkeys(faults)))
    return tuple(found)


def _combinations(over: dict[str, tuple[Any, ...]]) -> Iterator[tuple[tuple[str, Any], ...]]:
    for values in itertools.product(*over.values()):
        yield tuple(zip(over, values, strict=True))


def _value(text: str) -> Any:
    try:
        document = read_document(f"value: {text}")
    except DocumentError as error:
        raise InputError(f"`{text}` is not a value in YAML: {error}", where=_OPTION) from error
    if document.unreadable:
        raise InputError(document.unreadable[0][1], where=_OPTION)
    return document.values["value"]


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
