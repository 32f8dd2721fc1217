"""Which configs a change concerns, judged by the paths of its files. Opens no file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["added", "edited", "removed"]
Why = Literal["added", "edited", "renamed", "dependency"]

CONFIGS = "configs/"
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
    """One config that a change may deploy again."""

    config: str
    why: Why
    """The change of the file itself; `dependency`: only something that every deployment depends on changed."""
    base: str = ""
    """The deployment's file in the base where that is another; "" where it is the same, or new."""


@dataclass(frozen=True)
class Removed:
    """A deployment that no config describes any more. Its endpoints and models are left alone."""

    deployment: str
    """"" where the base's config does not say its name."""
    config: str
    """Its file in the base."""


@dataclass(frozen=True)
class Decision:
    concerned: tuple[Concerned, ...]
    """By path."""
    removed: tuple[Removed, ...]
    """By file. A deployment whose config has moved to another file is not among them."""
    dependencies: tuple[str, ...]
    """Changed files that every deployment depends on: compiled pipelines, the library, the steps."""


def is_config(path: str) -> bool:
    """Whether the file at this path describes a deployment."""
    return path.startswith(CONFIGS) and path.endswith(".yaml") and not is_example(path)


def is_example(path: str) -> bool:
    return path.startswith(_EXAMPLES)


def is_dependency(path: str) -> bool:
    compiled = path.startswith("compiled/") and path.endswith(".yaml")
    return compiled or path.startswith(_DEPENDENCIES)


def decide(
    changes: Iterable[Change],
    files: Iterable[str],
    names_before: Mapping[str, str] = {},
    names_after: Mapping[str, str] = {},
) -> Decision:
    """Which of a commit's configs a change concerns; `files` are those that the commit has under configs/.

    `names_before`, `names_after`: file → name of its deployment in base and commit, as far as files say one. A
    deployment is known by its name: in another file it is the same one.
    """
    changes = list(changes)
    own = {change.path: change.kind for change in changes if is_config(change.path)}
    dependencies = tuple(sorted(change.path for change in changes if is_dependency(change.path)))
    left = {name: path for path, name in names_before.items() if names_after.get(path) != name}
    concerned = []
    for config in sorted(filter(is_config, files)):
        kind, origin = own.get(config), left.get(names_after.get(config, ""), "")
        if kind == "added" and origin:
            concerned.append(Concerned(config, "renamed", origin))
        elif kind == "added" or kind == "edited":
            concerned.append(Concerned(config, kind, origin))
        elif dependencies:
            concerned.append(Concerned(config, "dependency"))
    return Decision(tuple(concerned), _removed(own, names_before, names_after), dependencies)


def _removed(own: Mapping[str, Kind], before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Removed, ...]:
    kept = set(after.values())
    gone = {path: name for path, name in before.items() if path in own and name not in kept}
    nameless = {path: "" for path, kind in own.items() if kind == "removed" and path not in before}
    return tuple(Removed(name, path) for path, name in sorted({**gone, **nameless}.items()))
