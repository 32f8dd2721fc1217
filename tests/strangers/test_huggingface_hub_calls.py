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


def test_a_commit_and_its_files(api: Any, repo: str, tmp_path: Path) -> None:
    sha = api.model_info(repo).sha
    assert api.repo_info(repo, revision=sha, expand=["sha"]).sha == sha
    (found,) = api.get_paths_info(repo, ["config.json", "nothing"], revision=sha, expand=True)
    assert found.last_commit.oid == sha
    path = api.hf_hub_download(repo, "notes.txt", subfolder="nested", revision=sha, local_dir=tmp_path / "here")
    assert Path(path) == tmp_path / "here" / "nested" / "notes.txt"
    assert api.list_repo_commits(repo, formatted=True)[0].title


def test_what_a_download_would_bring(api: Any, repo: str, tmp_path: Path) -> None:
    planned = api.snapshot_download(repo, dry_run=True, ignore_patterns="*.safetensors", cache_dir=tmp_path / "cache")
    sizes = {each.filename: each.file_size for each in planned}
    assert (sizes["config.json"], sizes.get("model.safetensors")) == (len(FILES["config.json"]), None)
    assert not any(path.is_file() for path in (tmp_path / "cache").rglob("config.json"))


def test_the_cache_is_scanned_and_freed(api: Any, repo: str, tmp_path: Path) -> None:
    api.snapshot_download(repo, cache_dir=tmp_path / "cache")
    cache = huggingface_hub.scan_cache_dir(tmp_path / "cache")
    assert [found.repo_id for found in cache.repos] == [repo]
    cache.delete_revisions(api.model_info(repo).sha).execute()
    assert not huggingface_hub.scan_cache_dir(tmp_path / "cache").repos


def test_one_file_of_tensors_and_the_card(api: Any, repo: str) -> None:
    assert api.parse_safetensors_file_metadata(repo, "model.safetensors").parameter_count == {"BF16": 4}
    assert api.get_safetensors_metadata(repo).files_metadata.keys() == {"model.safetensors"}
    assert huggingface_hub.ModelCard.load(repo, token=False).data.license == "mit"


def test_a_file_system_finds_files(repo: str, api: Any, tmp_path: Path) -> None:
    files = huggingface_hub.HfFileSystem(endpoint=api.endpoint, token=False)
    assert files.glob(f"{repo}/**/*.txt") == [f"{repo}/nested/notes.txt"]
    assert files.info(f"{repo}/config.json")["size"] == len(FILES["config.json"])
    assert [files.exists(f"{repo}/{name}") for name in ("config.json", "nothing")] == [True, False]
    assert files.cat_file(f"{repo}/config.json", start=0, end=5) == FILES["config.json"][:5]
    assert sorted(files.find(repo)) == sorted(f"{repo}/{name}" for name in FILES)
    files.get_file(f"{repo}@main/nested/notes.txt", str(tmp_path / "notes"))
    assert (tmp_path / "notes").read_bytes() == FILES["nested/notes.txt"]


def test_a_token_that_nobody_gave_and_a_gate(cloud: Any, api: Any, repo: str, tmp_path: Path) -> None:
    from huggingface_hub import errors

    with pytest.raises(errors.HfHubHTTPError, match="Invalid"):
        api.whoami(token="hf_nobody")
    (tmp_path / "gated").mkdir()
    (tmp_path / "gated" / "config.json").write_bytes(FILES["config.json"])
    gated = {"id": f"{repo}-gated", "path": str(tmp_path / "gated"), "gated": True}
    cloud.admin("PUT", "/_local/hub/repos", gated)
    with pytest.raises(errors.GatedRepoError):
        api.auth_check(gated["id"])
    with pytest.raises(errors.GatedRepoError):
        api.hf_hub_download(gated["id"], "config.json", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda api, repo: list(api.list_models(author="a", limit=1)), "/api/models"),
        (lambda api, repo: list(api.list_datasets(limit=1)), "/api/datasets"),
        (lambda api, repo: list(api.list_repo_likers(repo)), "/likers"),
        (lambda api, repo: list(api.get_repo_discussions(repo)), "/discussions"),
        (lambda api, repo: list(api.list_lfs_files(repo)), "/lfs-files"),
        (lambda api, repo: api.get_model_tags(), "/api/models-tags-by-type"),
        (lambda api, repo: list(api.list_collections(limit=1)), "/api/collections"),
        (lambda api, repo: api.get_user_overview("somebody"), "/api/users/somebody/overview"),
        (lambda api, repo: list(api.list_organization_members("some")), "/api/organizations/some/members"),
        (lambda api, repo: api.create_repo(f"{repo}-new"), "POST /api/repos/create"),
        (lambda api, repo: api.create_branch(repo, branch="b"), "/branch/b"),
        (lambda api, repo: api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo), "/preupload/main"),
        (lambda api, repo: api.super_squash_history(repo), "/super-squash/main"),
        (lambda api, repo: api.delete_repo(repo), "DELETE /api/repos/delete"),
    ],
)
def test_what_the_local_hub_lacks_is_refused_by_name(api: Any, repo: str, call: Any, path: str) -> None:
    from huggingface_hub import errors

    with pytest.raises(errors.HfHubHTTPError, match=f"The local Hub does not implement .*{path}|{path}") as refused:
        call(api, repo)
    assert refused.value.response.status_code == 501


def test_the_command_line_downloads(api: Any, repo: str, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    command = [sys.executable, "-m", "huggingface_hub.cli.hf", "download", repo, "config.json"]
    told = subprocess.run(
        [*command, "--local-dir", str(tmp_path / "here")],
        env={**os.environ, "HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "here" / "config.json").read_bytes() == FILES["config.json"]
