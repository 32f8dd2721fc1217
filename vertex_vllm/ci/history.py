"""Two commits of a git repository, read without checking anything out."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vertex_vllm.ci.concerned_configs import Change, Kind
from vertex_vllm.ci.unread import EntryKind
from vertex_vllm.errors import InputError, VertexVllmError

_KINDS: dict[str, Kind] = {"A": "added", "D": "removed"}
_ENTRY_KINDS: dict[str, EntryKind] = {"120000": "link", "160000": "submodule"}
# GitHub and GitLab name this commit as the one before the first push of a branch.
_NO_COMMIT = re.compile("0{40}|0{64}")


@dataclass(frozen=True)
class Commit:
    """One commit of the repository around a folder."""

    root: Path
    id: str
    """40 hexadecimal digits."""

    @classmethod
    def of(cls, folder: Path, revision: str) -> Self:
        """Raises InputError where the folder is in no repository, or the repository has no such revision."""
        if _NO_COMMIT.fullmatch(revision):
            raise InputError(
                "this is the first push of a branch: there is no commit before it to compare with",
                where=revision,
                fix="Deploy its configs with `vertex-vllm submit`, or give --base a commit that the branch began from.",
            )
        root = _ask(folder, "rev-parse", "--show-toplevel")
        if root.returncode:
            raise InputError(f"git finds no repository: {_words(root)}", where=str(folder), fix="Run this in a clone.")
        found = _ask(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if found.returncode:
            raise InputError(
                "the repository has no such revision",
                where=revision,
                fix="Fetch it; in CI, check out with the whole history.",
            )
        return cls(Path(root.stdout.decode().strip()), found.stdout.decode().strip())

    def changes_since(self, base: "Commit") -> tuple[Change, ...]:
        """Files whose content differs between the two commits; commits between them do not count. A rename is two
        changes."""
        told = _git(self.root, "diff", "--name-status", "--no-renames", "-z", base.id, self.id)
        words = told.decode("utf-8", "surrogateescape").split("\0")[:-1]
        return tuple(
            Change(path, _KINDS.get(kind, "edited")) for kind, path in zip(words[::2], words[1::2], strict=True)
        )

    def files(self, folder: str) -> tuple[str, ...]:
        """Paths of the files below a folder of the commit."""
        return tuple(path for path in self.entries(f"{folder}/") if path.startswith(f"{folder}/"))

    def entries(self, *paths: str) -> dict[str, EntryKind]:
        """Files, links and submodules at these paths, or below those that end in /, by path."""
        if not paths:
            return {}
        told = _git(self.root, "ls-tree", "-r", "-z", self.id, "--", *paths).decode("utf-8", "surrogateescape")
        found = (line.partition("\t") for line in told.split("\0")[:-1])
        return {path: _ENTRY_KINDS.get(facts.split()[0], "file") for facts, _, path in found}

    def text(self, path: str) -> str | None:
        """The file's text; bytes that are not UTF-8 are kept as `surrogateescape` does. None without such a file."""
        if not _git(self.root, "ls-tree", "--name-only", "-z", self.id, "--", path):
            return None
        return _git(self.root, "cat-file", "blob", f"{self.id}:{path}").decode("utf-8", "surrogateescape")


def _git(folder: Path, *arguments: str) -> bytes:
    """Git's output. Raises VertexVllmError with git's words if it fails: a failure must not look like no change."""
    answer = _ask(folder, *arguments)
    if answer.returncode:
        raise VertexVllmError(f"git {arguments[0]} failed: {_words(answer)}", where=str(folder))
    return answer.stdout


def _ask(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise InputError("git is not installed", fix="Install it: what changed is read from history.") from None


def _words(answer: "subprocess.CompletedProcess[bytes]") -> str:
    return " ".join(answer.stderr.decode("utf-8", "replace").split())
