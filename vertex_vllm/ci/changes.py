"""From the files that changed to the configs that are concerned. Opens nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["added", "edited", "removed"]
Why = Literal["added", "edited", "dependency"]

# Nothing below is deployed: configs to copy from.
_EXAMPLES = "configs/examples/"
_DEPENDENCIES = ("vertex_vllm/", "components/")


@dataclass(frozen=True)
class Change:
    path: str
    """From the repository's root, parts separated by /."""
    kind: Kind


@dataclass(frozen=True)
class Concerned:
    """One config that a change may deploy anew."""

    config: str
    why: Why
    """What was done to the file itself; `dependency`: nothing, but to what every deployment depends on."""


@dataclass(frozen=True)
class Decision:
    concerned: tuple[Concerned, ...]
    """By path."""
    removed: tuple[str, ...]
    """Configs that are gone. What they deployed is left alone."""
    dependencies: tuple[str, ...]
    """Changed files that every deployment depends on: compiled pipelines, the library, the steps."""


def is_config(path: str) -> bool:
    """Whether the file at this path describes a deployment."""
    return path.startswith("configs/") and path.endswith(".yaml") and not path.startswith(_EXAMPLES)


def is_dependency(path: str) -> bool:
    compiled = path.startswith("compiled/") and path.endswith(".yaml")
    return compiled or path.startswith(_DEPENDENCIES)


def decide(changes: Iterable[Change], files: Iterable[str]) -> Decision:
    """Which of a commit's configs a change concerns; `files` are those that the commit has under configs/."""
    changes = list(changes)
    own = {change.path: change.kind for change in changes if is_config(change.path)}
    dependencies = tuple(sorted(change.path for change in changes if is_dependency(change.path)))
    concerned = []
    for config in sorted(filter(is_config, files)):
        kind = own.get(config)
        if kind == "added" or kind == "edited":
            concerned.append(Concerned(config, kind))
        elif dependencies:
            concerned.append(Concerned(config, "dependency"))
    removed = tuple(sorted(path for path, kind in own.items() if kind == "removed"))
    return Decision(tuple(concerned), removed, dependencies)
