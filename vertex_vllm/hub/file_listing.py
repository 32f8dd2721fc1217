"""The files of a model at one commit."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vertex_vllm.errors import HubAccessError
from vertex_vllm.hub.hub_client import ask_hub, make_sure_it_answers
from vertex_vllm.hub.hub_names import check_commit, check_model_id, is_safe_path

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

_LOG = logging.getLogger(__name__)
# Names that cannot be copied, shown in a message.
_SHOWN = 3


@dataclass(frozen=True)
class HubFile:
    """A file of a repository, with the hash that its content is checked against.

    Names and sizes are the Hub's, unchecked: code that selects files calls `check_file`.
    """

    path: str
    size: int
    """Bytes."""
    sha256: str
    """Of the content, 64 hexadecimal digits; empty for a file that is kept in git itself."""
    git_oid: str
    """SHA-1 of the git blob, 40 hexadecimal digits; for an LFS file that of its pointer."""


def check_file(file: HubFile) -> HubFile:
    """`file`, if it can be copied and verified: its path in a URL and in an object's name. Raises HubAccessError."""
    check_files([file])
    return file


def check_files(files: Sequence[HubFile]) -> None:
    """Raises HubAccessError that names all files that cannot be copied and verified, as `check_file` judges."""
    faulty = [(file.path, fault) for file in files if (fault := _unusable(file))]
    if faulty:
        fields = ", ".join(dict.fromkeys(fault for _, fault in faulty))
        listed = "a file" if len(faulty) == 1 else f"{len(faulty)} files"
        raise HubAccessError(
            f"the Hub lists {listed} with an unusable {fields}",
            where=_shown([path for path, _ in faulty]),
            path=faulty[0][0],
            fix="Leave them out with --exclude (* and ? stand for such characters), or choose another revision.",
        )


def _unusable(file: HubFile) -> str:
    """The field of the listing that is unusable; empty if all are usable."""
    if not is_safe_path(file.path):
        return "path"
    if file.size < 0:
        return "size"
    if re.fullmatch(r"([0-9a-f]{64})?", file.sha256) is None:
        return "LFS oid"
    return "" if re.fullmatch(r"[0-9a-f]{40}", file.git_oid) else "git oid"


def list_files(model_id: str, commit: str, token: str | None) -> tuple[HubFile, ...]:
    """All files of the model at `commit`, ordered by path.

    It includes files whose names cannot be copied, and logs their number; code that needs one calls `check_file`.
    Raises HubAccessError when the Hub refuses or its listing is malformed, ServiceError when it does not answer.
    """
    from huggingface_hub.hf_api import RepoFile

    check_commit(commit)
    make_sure_it_answers(check_model_id(model_id), token)
    try:
        entries = ask_hub(
            lambda api: list(api.list_repo_tree(model_id, recursive=True, revision=commit)),
            token=token,
            model_id=model_id,
            revision=commit,
        )
        files = [_hub_file(entry) for entry in entries if isinstance(entry, RepoFile)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HubAccessError(f"the Hub's listing is malformed: {type(error).__name__}", repo=model_id) from error
    if odd := [file.path for file in files if not is_safe_path(file.path)]:
        said = "%s: %d files have names that cannot be copied, and are left out unless serving needs them: %s"
        _LOG.warning(said, model_id, len(odd), _shown(odd))
    return tuple(sorted(files, key=lambda file: file.path))


def _shown(paths: Sequence[str]) -> str:
    return ", ".join(ascii(path)[:80] for path in paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")


def _hub_file(entry: "RepoFile") -> HubFile:
    return HubFile(entry.path, int(entry.size), entry.lfs.sha256 if entry.lfs else "", entry.blob_id)
