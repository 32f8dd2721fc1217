"""Sources of the image: the files of Docker's build context, as one reproducible archive."""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vertex_vllm.errors import InputError

if TYPE_CHECKING:
    from pathspec import RegexPattern

_DOCKERFILE = "Dockerfile"
_IGNORE = ".dockerignore"


@dataclass(frozen=True)
class Sources:
    """The sources as a tar. The same files give the same bytes, on every machine and from every checkout."""

    tar: bytes
    """Uncompressed."""

    @cached_property
    def archive(self) -> bytes:
        """The tar, gzipped. Most callers ask for the digest alone, which takes a quarter of the time."""
        return gzip.compress(self.tar, mtime=0)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the tar, in hexadecimal; not of the archive, since compressors differ between versions."""
        return hashlib.sha256(self.tar).hexdigest()


def read_sources(root: Path) -> Sources:
    """The files under `root` that its `.dockerignore` lets through, and the Dockerfile.

    Raises InputError where there is no Dockerfile, as in an installed wheel, and for a symbolic link: a file that it
    points at, outside of the checkout perhaps, would be sent to a bucket and into the image.
    """
    if not (root / _DOCKERFILE).is_file():
        raise InputError(
            "there are no sources to build the image from: vertex-vllm was installed without them",
            where=str(root),
            fix="Run this from a checkout, or say --no-image, build the image elsewhere and publish for it.",
        )
    return Sources(_tar(root, source_files(root)))


def source_files(root: Path) -> tuple[str, ...]:
    """Paths of those files, relative to `root`, sorted."""
    ignore = _no_link(root / _IGNORE)
    patterns = _patterns(ignore.read_text() if ignore.exists() else "")
    # As Docker does: these two are always sent.
    always = {name for name in (_DOCKERFILE, _IGNORE) if (root / name).exists()}
    found = tuple(sorted(always | set(_walk(root, patterns))))
    for name in found:
        _no_link(root / name)
    return found


def _no_link(path: Path) -> Path:
    if path.is_symlink():
        raise InputError(
            "is a symbolic link among the sources of the image",
            where=str(path),
            fix="Put the file itself in its place, or name it in .dockerignore.",
        )
    return path


def _patterns(text: str) -> "list[RegexPattern]":
    """`.dockerignore` reads as git's file does, except that every pattern starts at the root."""
    from pathspec import PathSpec

    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    anchored = [f"{'!' * line.startswith('!')}/{line.lstrip('!/')}" for line in lines]
    return list(PathSpec.from_lines("gitignore", anchored).patterns)


def _walk(root: Path, patterns: "list[RegexPattern]") -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        here = PurePosixPath(Path(folder).relative_to(root).as_posix())
        folders[:] = [name for name in folders if _is_entered(str(here / name), patterns)]
        # A link to a folder is not entered: it is one name among the files.
        links = [name for name in folders if (root / here / name).is_symlink()]
        yield from (str(here / name) for name in (*files, *links) if not _is_ignored(str(here / name), patterns))


def _is_ignored(path: str, patterns: "list[RegexPattern]") -> bool:
    """The last pattern that matches the path, or a folder above it, decides."""
    places = [path, *(f"{parent}/" for parent in PurePosixPath(path).parents if parent.name)]
    about = [pattern for pattern in patterns if any(pattern.match_file(place) for place in places)]
    return bool(about and about[-1].include)


def _is_entered(folder: str, patterns: "list[RegexPattern]") -> bool:
    """Whether to look into a folder: an ignored one only if a pattern may include a file below it."""
    let_in = [str(pattern.pattern).lstrip("!/") for pattern in patterns if pattern.include is False]
    return not _is_ignored(folder, patterns) or any(
        text.startswith((f"{folder}/", "*")) or text == folder for text in let_in
    )


def _tar(root: Path, names: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in names:
            content = (root / name).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            # Of the mode, what git keeps; owner and time stay zero.
            entry.mode = 0o755 if os.access(root / name, os.X_OK) else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
