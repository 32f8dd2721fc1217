"""Symbolic links among the sources of the image: their targets are not uploaded."""

from pathlib import Path

import pytest

from vertex_vllm.errors import InputError
from vertex_vllm.publishing.image_sources import read_sources


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout; beside it a file that is not part of it."""
    (tmp_path / "credentials.json").write_text("somebody's key")
    checkout = tmp_path / "checkout"
    (checkout / "vertex_vllm").mkdir(parents=True)
    (checkout / "Dockerfile").write_text("FROM scratch\n")
    return checkout


@pytest.mark.parametrize("target", ["../../credentials.json", "../Dockerfile", "nowhere"])
def test_a_link_to_a_file_is_refused_by_name(root: Path, target: str) -> None:
    (root / "vertex_vllm" / "module.py").symlink_to(target)
    with pytest.raises(InputError, match="symbolic link") as refused:
        read_sources(root)
    assert refused.value.where == str(root / "vertex_vllm" / "module.py")


def test_a_link_to_a_folder_is_refused_by_name(root: Path) -> None:
    (root / "vertex_vllm" / "package").symlink_to(root.parent)
    with pytest.raises(InputError, match="symbolic link"):
        read_sources(root)


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
def test_a_link_in_the_place_of_docker_s_own_files_is_refused(root: Path, name: str) -> None:
    (root / name).unlink(missing_ok=True)
    (root / name).symlink_to("../credentials.json")
    with pytest.raises(InputError, match="symbolic link"):
        read_sources(root)


def test_a_link_that_is_not_sent_is_no_matter(root: Path) -> None:
    (root / ".dockerignore").write_text("*\n!vertex_vllm\n")
    (root / "notes").symlink_to("../credentials.json")
    assert b"somebody's key" not in read_sources(root).tar
