"""The archive of the image's sources: the files that Docker would get, as the same bytes every time."""

import io
import os
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from vertex_vllm.errors import InputError
from vertex_vllm.publishing.image_sources import read_sources, source_files

ROOT = Path(__file__).resolve().parents[3]


def tree(root: Path, *names: str, ignored: str = "") -> Path:
    for name in ("Dockerfile", *names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"content of {name}")
    if ignored:
        (root / ".dockerignore").write_text(ignored)
    return root


def test_the_image_gets_what_its_dockerfile_copies_and_nothing_else() -> None:
    names = source_files(ROOT)
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    wanted = {source.split("/")[0] for line in copied for source in line.split()}
    assert {name.split("/")[0] for name in names} == wanted | {"Dockerfile", ".dockerignore"}
    assert {"constraints/project.txt", "vertex_vllm/catalog/__init__.py", "vertex_vllm/inference/data/car.png"} <= set(
        names
    )
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize(
    ("ignored", "kept"),
    [
        ("", ["a/b.py", "a/c/d.txt", "e.txt"]),
        ("*\n!a\n**/c", ["a/b.py"]),
        ("*\n!a/c/d.txt", ["a/c/d.txt"]),
        ("**/*.txt", ["a/b.py"]),
        # Unlike in a .gitignore, a name without a slash is one at the root.
        ("d.txt\ne.txt", ["a/b.py", "a/c/d.txt"]),
        ("a\n!a/c\n# a comment\n\na/c/d.txt", ["e.txt"]),
        ("/a/c/\nDockerfile", ["a/b.py", "e.txt"]),
    ],
)
def test_dockerignore_is_read_as_docker_reads_it(tmp_path: Path, ignored: str, kept: list[str]) -> None:
    root = tree(tmp_path, "a/b.py", "a/c/d.txt", "e.txt", ignored=ignored)
    assert [name for name in source_files(root) if name not in ("Dockerfile", ".dockerignore")] == kept
    assert "Dockerfile" in source_files(root)


def test_the_same_files_are_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    first = tree(tmp_path / "first", "b.py", "a.py")
    second = shutil.copytree(tree(tmp_path / "other", "a.py", "b.py"), tmp_path / "second")
    os.utime(second / "a.py", (1, 1))
    (second / "b.py").chmod(0o600)
    assert read_sources(first) == read_sources(second)
    with tarfile.open(fileobj=io.BytesIO(read_sources(first).archive)) as archive:
        assert [member.name for member in archive] == ["Dockerfile", "a.py", "b.py"]


def test_other_content_and_another_right_to_run_are_other_sources(tmp_path: Path) -> None:
    root = tree(tmp_path, "a.py")
    digests = {read_sources(root).digest}
    (root / "a.py").chmod(0o755)
    digests.add(read_sources(root).digest)
    (root / "a.py").write_text("else")
    digests.add(read_sources(root).digest)
    assert len(digests) == 3


def test_without_sources_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"installed without them.*--no-image"):
        read_sources(tmp_path)
