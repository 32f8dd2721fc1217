"""The repos and tokens of a local Hub: one small JSON file each, so that adding one never rewrites another."""

import hmac
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

# huggingface_hub's validate_repo_id; "--" cannot occur in an id, so it can replace the slash in a file name.
_NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?$", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}$")


@dataclass(frozen=True)
class Repo:
    """A model repo: `path` holds what is on its branch main, `tags` other directories by the tag's name."""

    id: str
    path: Path
    gated: bool = False
    private: bool = False
    tags: Mapping[str, Path] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class Token:
    """The token's user, and the gated or private repos that the user may read. The token itself is not stored."""

    sha256: str
    user: str
    granted: tuple[str, ...]


def add_repo(
    data_dir: Path,
    repo_id: str,
    path: Path,
    gated: bool = False,
    *,
    private: bool = False,
    tags: Mapping[str, Path] = MappingProxyType({}),
) -> None:
    """Adds a repo over a directory, or replaces it. Raises ValueError: no such id or directory."""
    owner, _, name = repo_id.partition("/")
    if not (_NAME.match(owner) and _NAME.match(name)):
        raise ValueError(f"{repo_id!r} is not a repo id; it looks like owner/name")
    for directory in (path, *tags.values()):
        if not directory.is_dir():
            raise ValueError(f"{directory} is not a directory")
    absolute = {tag: str(directory.resolve()) for tag, directory in tags.items()}
    record = {"id": repo_id, "path": str(path.resolve()), "gated": gated, "private": private, "tags": absolute}
    _write(_repo_file(data_dir, repo_id), record)


def add_token(data_dir: Path, sha256_hex: str, user: str, granted: Sequence[str]) -> None:
    """Adds a token, or replaces its grants. Raises ValueError when `sha256_hex` is not a SHA-256 in hexadecimal."""
    if not _SHA256.match(sha256_hex):
        raise ValueError("a token is given by its SHA-256, 64 hexadecimal digits in lower case")
    token = Token(sha256_hex, user, tuple(granted))
    _write(data_dir / "tokens" / f"{sha256_hex}.json", asdict(token))


def find_repo(data_dir: Path, repo_id: str) -> Repo | None:
    owner, _, name = repo_id.partition("/")
    if not (_NAME.match(owner) and _NAME.match(name)):
        return None
    file = _repo_file(data_dir, repo_id)
    if not file.is_file():
        return None
    record = json.loads(file.read_text())
    tags = {tag: Path(directory) for tag, directory in record["tags"].items()}
    return Repo(**{**record, "path": Path(record["path"]), "tags": tags})


def every_repo(data_dir: Path) -> list[Repo]:
    """All repos, by id."""
    ids = sorted(json.loads(file.read_text())["id"] for file in (data_dir / "repos").glob("*.json"))
    return [repo for each in ids if (repo := find_repo(data_dir, each))]


def find_public_repo_named(data_dir: Path, name: str) -> Repo | None:
    """The repo of that name of any owner; None where there is none, or more than one, or it is private."""
    if not _NAME.match(name):
        return None
    owners = [file.stem.removesuffix(f"--{name}") for file in (data_dir / "repos").glob(f"*--{name}.json")]
    found = find_repo(data_dir, f"{owners[0]}/{name}") if len(owners) == 1 else None
    return None if found is None or found.private else found


def find_token(data_dir: Path, sha256_hex: str) -> Token | None:
    """The token, compared with every known one in constant time, so that the duration reveals nothing about them."""
    found = None
    for file in sorted((data_dir / "tokens").glob("*.json")):
        record = json.loads(file.read_text())
        if hmac.compare_digest(record["sha256"], sha256_hex):
            found = Token(record["sha256"], record["user"], tuple(record["granted"]))
    return found


def _repo_file(data_dir: Path, repo_id: str) -> Path:
    return data_dir / "repos" / f"{repo_id.replace('/', '--')}.json"


def _write(file: Path, record: dict[str, Any]) -> None:
    """Writes the record atomically, so that no reader sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, suffix=".new", delete=False) as temporary:
        json.dump(record, temporary)
    os.replace(temporary.name, file)
