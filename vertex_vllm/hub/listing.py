"""The files of a model at one commit."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vertex_vllm.errors import HubAccessError
from vertex_vllm.hub.client import ask_hub
from vertex_vllm.hub.names import check_commit, check_model_id, is_safe_path

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile


@dataclass(frozen=True)
class HubFile:
    """One file of a repository, with what its content is to be checked against. Cannot be made with an unsafe path."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    """Of the content, 64 hexadecimal digits; empty for a file that is kept in git itself."""
    git_oid: str
    """SHA-1 of the git blob, 40 hexadecimal digits; for an LFS file that of its pointer."""

    def __post_init__(self) -> None:
        for fault, field in (
            (not is_safe_path(self.path), "path"),
            (self.size < 0, "size"),
            (re.fullmatch(r"([0-9a-f]{64})?", self.sha256) is None, "LFS oid"),
            (re.fullmatch(r"[0-9a-f]{40}", self.git_oid) is None, "git oid"),
        ):
            if fault:
                raise HubAccessError(f"the Hub lists a file with an unusable {field}", where=repr(self.path)[:200])


def list_files(model_id: str, commit: str, token: str | None) -> tuple[HubFile, ...]:
    """All files of the model at `commit`, ordered by path.

    Raises HubAccessError when the Hub refuses or lists what cannot be, ServiceError when it does not answer.
    """
    from huggingface_hub.hf_api import RepoFile

    check_commit(commit)
    try:
        entries = ask_hub(
            lambda api: list(api.list_repo_tree(check_model_id(model_id), recursive=True, revision=commit)),
            token=token,
            model_id=model_id,
            revision=commit,
        )
        files = [_hub_file(entry) for entry in entries if isinstance(entry, RepoFile)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HubAccessError(f"the Hub's listing is malformed: {type(error).__name__}", where=model_id) from error
    return tuple(sorted(files, key=lambda file: file.path))


def _hub_file(entry: "RepoFile") -> HubFile:
    return HubFile(entry.path, int(entry.size), entry.lfs.sha256 if entry.lfs else "", entry.blob_id)
