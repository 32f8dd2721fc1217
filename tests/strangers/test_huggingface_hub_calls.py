"""Calls of huggingface_hub as its documentation shows them, each once, against the local Hub; nothing is fetched."""

import uuid
from pathlib import Path
from typing import Any

import pytest

huggingface_hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")

FILES = {
    "config.json": b'{"model_type": "llama"}',
    "README.md": b"---\nlicense: mit\n---\n# A model\n",
    "nested/notes.txt": b"notes",
    "model.safetensors": (66).to_bytes(8, "little")
    + b'{"t": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}}'.ljust(66)
    + bytes(8),
}


@pytest.fixture
def repo(cloud: Any, tmp_path: Path) -> str:
    model_id = f"strangers-{uuid.uuid4().hex[:8]}/model"
    folder = tmp_path / "repo"
    for path, data in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    cloud.admin("PUT", "/_local/hub/repos", {"id": model_id, "path": str(folder), "gated": False})
    return model_id


@pytest.fixture
def api() -> Any:
    import os

    return huggingface_hub.HfApi(endpoint=os.environ["HF_ENDPOINT"], token=False)


def test_model_info(api: Any, repo: str) -> None:
    info = api.model_info(repo, files_metadata=True)
    assert (info.id, len(info.sha)) == (repo, 40)
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings}
    assert FILES.keys() <= sizes.keys()
    assert sizes["config.json"] == len(FILES["config.json"])


def test_what_exists(api: Any, repo: str) -> None:
    assert api.repo_exists(repo)
    assert not api.repo_exists(f"{repo}-2")
    assert api.revision_exists(repo, "main")
    assert not api.revision_exists(repo, "no-such-branch")
    assert api.file_exists(repo, "config.json")
    assert not api.file_exists(repo, "no-such-file")


def test_the_files_of_a_repo(api: Any, repo: str) -> None:
    assert FILES.keys() <= set(api.list_repo_files(repo))
    tree = {entry.path: entry for entry in api.list_repo_tree(repo)}
    assert "nested" in tree
    assert "nested/notes.txt" not in tree
    (found,) = api.get_paths_info(repo, ["config.json"])
    assert found.size == len(FILES["config.json"])


def test_branches_and_commits(api: Any, repo: str) -> None:
    refs = api.list_repo_refs(repo)
    assert [branch.name for branch in refs.branches] == ["main"]
    (commit, *_) = api.list_repo_commits(repo)
    assert commit.commit_id == api.model_info(repo).sha


def test_a_file_is_downloaded_once(api: Any, repo: str, tmp_path: Path) -> None:
    path = api.hf_hub_download(repo, "nested/notes.txt", cache_dir=tmp_path / "cache")
    assert Path(path).read_bytes() == FILES["nested/notes.txt"]
    found = huggingface_hub.try_to_load_from_cache(repo, "nested/notes.txt", cache_dir=tmp_path / "cache")
    assert found == path


def test_a_snapshot_of_some_files(api: Any, repo: str, tmp_path: Path) -> None:
    folder = api.snapshot_download(repo, allow_patterns=["*.json"], local_dir=tmp_path / "here")
    here = {path.name for path in Path(folder).iterdir() if path.is_file()}
    assert here == {"config.json"}


def test_a_file_s_metadata(api: Any, repo: str) -> None:
    url = huggingface_hub.hf_hub_url(repo, "config.json", endpoint=api.endpoint)
    metadata = api.get_hf_file_metadata(url=url)
    assert metadata.size == len(FILES["config.json"])
    assert metadata.commit_hash == api.model_info(repo).sha


def test_the_tensors_of_a_model(api: Any, repo: str) -> None:
    metadata = api.get_safetensors_metadata(repo)
    assert metadata.parameter_count == {"BF16": 4}


def test_a_file_system(repo: str, api: Any) -> None:
    files = huggingface_hub.HfFileSystem(endpoint=api.endpoint, token=False)
    assert f"{repo}/config.json" in files.ls(repo, detail=False)
    with files.open(f"{repo}/nested/notes.txt", "rb") as opened:
        assert opened.read() == FILES["nested/notes.txt"]


def test_what_is_not_there_is_named(api: Any, repo: str) -> None:
    from huggingface_hub import errors

    with pytest.raises(errors.RepositoryNotFoundError):
        api.model_info(f"{repo}-2")
    with pytest.raises(errors.RevisionNotFoundError):
        api.model_info(repo, revision="no-such-branch")
    with pytest.raises(errors.EntryNotFoundError):
        api.hf_hub_download(repo, "no-such-file")
