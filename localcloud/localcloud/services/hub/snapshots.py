"""Contents of a repo at a revision: files, folders and commit, named as git would name them."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from localcloud.services.hub.hashes import FileHashes
from localcloud.services.hub.hub_errors import revision_not_found
from localcloud.services.hub.lfs import LfsRule, lfs_rule
from localcloud.services.hub.registry import Repo

MAIN = "main"
COMMIT_TITLE = "Initial commit"
_NOT_CONTENT = frozenset({".git", ".cache"})
_FILE_MODE = b"100644"
_FOLDER_MODE = b"40000"


@dataclass(frozen=True)
class RepoFile:
    """`oid` is git's name of its blob: the file or, for a file in LFS, the pointer to it."""

    path: str
    location: Path
    size: int
    oid: str
    sha256: str | None = None

    @property
    def etag(self) -> str:
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Snapshot:
    """One commit. `folders` are the tree ids by path, without the root's."""

    commit: str
    files: dict[str, RepoFile]
    folders: dict[str, str]
    changed: datetime


def find_snapshot(repo: Repo, revision: str, hashes: FileHashes) -> Snapshot:
    """The snapshot of a branch, tag or full commit id. Raises HubError (404)."""
    directories = {MAIN: repo.path, **repo.tags}
    if revision in directories:
        return read_snapshot(directories[revision], hashes)
    for directory in directories.values():
        snapshot = read_snapshot(directory, hashes)
        if snapshot.commit == revision:
            return snapshot
    raise revision_not_found(revision)


def read_snapshot(root: Path, hashes: FileHashes) -> Snapshot:
    """The snapshot of a directory; the same content always has the same commit id."""
    rule = lfs_rule(root)
    files = {file.path: file for file in sorted(_files(root, rule, hashes), key=lambda file: file.path)}
    folders: dict[str, str] = {}
    tree = _tree_id("", files, folders)
    author = "Hub <hub@localhost> 0 +0000"
    text = f"tree {tree}\nauthor {author}\ncommitter {author}\n\n{COMMIT_TITLE}\n"
    changed = max((file.location.stat().st_mtime for file in files.values()), default=root.stat().st_mtime)
    return Snapshot(_git_id("commit", text.encode()), files, folders, datetime.fromtimestamp(changed, UTC))


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The pointer that git holds in place of the file (git-lfs specification, version 1)."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def _files(root: Path, rule: LfsRule, hashes: FileHashes) -> Iterator[RepoFile]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _NOT_CONTENT]
        for location in filter(Path.is_file, (Path(folder, name) for name in names)):
            path, size = location.relative_to(root).as_posix(), location.stat().st_size
            if not rule.applies(path, size):
                yield RepoFile(path, location, size, hashes.git_blob(location))
                continue
            sha256 = hashes.sha256(location)
            yield RepoFile(path, location, size, _git_id("blob", lfs_pointer(sha256, size)), sha256)


def _tree_id(folder: str, files: dict[str, RepoFile], folders: dict[str, str]) -> str:
    """The tree's id; adds those of its subfolders to `folders`. git sorts a folder as if its name ended in a slash."""
    prefix = f"{folder}/" if folder else ""
    entries: dict[bytes, tuple[bytes, str]] = {}
    for path, file in files.items():
        if not path.startswith(prefix):
            continue
        name, slash, _ = path[len(prefix) :].partition("/")
        key = f"{name}{slash}".encode()
        if not slash:
            entries[key] = (_FILE_MODE, file.oid)
        elif key not in entries:
            folders[prefix + name] = _tree_id(prefix + name, files, folders)
            entries[key] = (_FOLDER_MODE, folders[prefix + name])
    listed = [(mode, key.rstrip(b"/"), bytes.fromhex(oid)) for key, (mode, oid) in sorted(entries.items())]
    return _git_id("tree", b"".join(mode + b" " + name + b"\0" + oid for mode, name, oid in listed))


def _git_id(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
