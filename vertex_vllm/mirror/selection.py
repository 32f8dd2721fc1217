"""Which files of a repository a serving container needs. Pure."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from vertex_vllm.hub.listing import HubFile
from vertex_vllm.hub.weight_files import weight_files, weight_index

# Configs, tokenizers, chat templates, image processors, and the code of models that bring their own.
_SUPPORT = (
    "*.json",
    "*.jinja",
    "*.model",
    "*.tiktoken",
    "tokenizer.model.*",
    "merges.txt",
    "vocab.txt",
    "*.py",
)
# Named chat templates, as transformers saves them; the one folder that is read.
_SUPPORT_FOLDER = "additional_chat_templates/*.jinja"
# Indexes, of which only that of the chosen weights is wanted, and what a trainer writes.
_LEFT_OUT = ("*.index.json", "trainer_state.json", "*_results.json")


def select_files(listing: Sequence[HubFile], indexed: Collection[str]) -> tuple[HubFile, ...]:
    """The files to mirror, in the listing's order: the weights (`indexed` as in `weight_files`), their index, and what
    vLLM and transformers read beside them.

    Left out: `original/` and all other folders, other formats of the same weights, pictures and texts.
    Raises PlanError when there are no weights, or the index names a file that is not there.
    """
    chosen = {file.path for file in weight_files(listing, indexed)}
    if (index := weight_index(listing)) is not None:
        chosen.add(index.path)
    return tuple(file for file in listing if file.path in chosen or _is_support(file.path))


def _is_support(path: str) -> bool:
    if "/" in path:
        return fnmatchcase(path, _SUPPORT_FOLDER)
    return _matches(path, _SUPPORT) and not _matches(path, _LEFT_OUT)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
