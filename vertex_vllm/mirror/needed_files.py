"""Which files of a repository a serving container needs. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Self

from vertex_vllm.errors import PlanError
from vertex_vllm.hub.file_listing import HubFile, check_files
from vertex_vllm.mirror.own_objects import BESIDE_THE_WEIGHTS
from vertex_vllm.model.weight_files import INCOMPLETE, check_numbers, unnamed_shards, weight_files, weight_index

# Configs, tokenizers, chat templates and image processors.
_SUPPORT = (
    "*.json",
    "*.jinja",
    "*.model",
    "*.tiktoken",
    "tokenizer.model.*",
    "merges.txt",
    "vocab.txt",
    # The licence and the files that it requires to be passed on, by their usual names on the Hub.
    *("LICENSE*", "LICENCE*", "license*", "COPYING*", "NOTICE*", "*USE_POLICY*", "*use_policy*"),
)
# Python code of the repository: mirrored only if the config consents to running it.
_CODE = ("*.py",)
# Named chat templates, as transformers saves them; the one folder that is read.
_SUPPORT_FOLDER = "additional_chat_templates/*.jinja"
# Indexes, of which only that of the chosen weights is mirrored, and files that a trainer writes.
_LEFT_OUT = ("*.index.json", "trainer_state.json", "*_results.json")


@dataclass(frozen=True)
class Selection:
    """Patterns that override the choice of files: as in a shell, of whole paths."""

    include: tuple[str, ...] = ()
    """If given: only files that match one of them, also files that are left out by default."""
    exclude: tuple[str, ...] = ()
    """Never files that match one."""
    code: bool = False
    """Also the repository's Python code, which serving it would run."""

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """From parsed JSON. Raises TypeError for fields that a selection does not have."""
        patterns = {name: tuple(value) for name, value in fields.items() if name != "code"}
        return cls(**patterns, code=bool(fields.get("code", False)))


EVERYTHING_NEEDED = Selection()


def select_files(
    listing: Sequence[HubFile], indexed: Collection[str], selection: Selection = EVERYTHING_NEEDED
) -> tuple[HubFile, ...]:
    """The files to mirror, in the listing's order: the weights (`indexed` as in `weight_files`), their index, and what
    vLLM and transformers read beside them; or what `selection` says.

    Left out by default: `original/` and all other folders, other formats of the same weights, pictures and texts.
    Raises PlanError when there are no weights, the index names a missing file or leaves out a shard, or nothing is
    selected, and HubAccessError when a selected file has a name that cannot be copied.
    """
    if selection.include:
        chosen = [file for file in listing if _matches(file.path, selection.include)]
    else:
        chosen_weights = weight_files(listing, indexed)
        if not indexed:
            check_numbers(chosen_weights)
        elif unnamed := unnamed_shards(listing, indexed):
            raise PlanError(
                f"leaves out {unnamed[0]!r}",
                where="weight_map of the index",
                missing=unnamed,
                fix=f"{INCOMPLETE} If vLLM is to load all shards, leave the index out with --exclude *.index.json.",
            )
        needed = {file.path for file in chosen_weights}
        if (index := weight_index(listing)) is not None:
            needed.add(index.path)
        support = (*_SUPPORT, *_CODE) if selection.code else _SUPPORT
        chosen = [file for file in listing if file.path in needed or _is_support(file.path, support)]
    selected = tuple(file for file in chosen if not _matches(file.path, selection.exclude))
    check_files(selected)
    if taken := [file.path for file in selected if file.path in BESIDE_THE_WEIGHTS]:
        raise PlanError(
            f"the repository has a file {taken[0]}, a name that a mirror needs for an object of its own",
            where=taken[0],
            fix="Exclude it: --exclude, or choose another repository.",
        )
    if not selected:
        raise PlanError(
            "no file of the repository is selected", where="--include, --exclude", fix="Widen the patterns."
        )
    return selected


def is_index_wanted(listing: Sequence[HubFile], selection: Selection) -> bool:
    """Whether the repository has an index and the patterns do not leave it out; without one vLLM reads every shard."""
    index = weight_index(listing)
    return index is not None and not _matches(index.path, selection.exclude)


def left_out_of_index(selected: Sequence[HubFile], listing: Sequence[HubFile], indexed: Collection[str]) -> list[str]:
    """Files that a selected index names and the patterns leave out, while others of it are selected."""
    index, paths = weight_index(listing), {file.path for file in selected}
    if index is None or index.path not in paths or not paths & set(indexed):
        return []
    return sorted(set(indexed) - paths)


def _is_support(path: str, patterns: Sequence[str]) -> bool:
    if "/" in path:
        return fnmatchcase(path, _SUPPORT_FOLDER)
    return _matches(path, patterns) and not _matches(path, _LEFT_OUT)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
