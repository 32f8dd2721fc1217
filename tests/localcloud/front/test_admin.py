"""Requests to the daemon's administration address, and their effect on clients."""

import hashlib
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import GatedRepoError

from localcloud.daemon import Connection, DaemonError

TOKEN = "hf_" + "x" * 34


def test_status_says_what_runs(cloud: Connection) -> None:
    status = cloud.admin("GET", "/_local/status")
    named = {name: status[name] for name in ("pid", "project", "region", "state_dir")}
    assert named == {
        "pid": cloud.pid,
        "project": "local-project",
        "region": "us-central1",
        "state_dir": str(cloud.state_dir),
    }
    assert set(status) - set(named) == {"time", "hub_models", "endpoints", "runs_under_way"}


def _add_gated_repo(cloud: Connection, directory: Path, project: str) -> str:
    repo = f"{project}/model"
    (directory / "config.json").write_text('{"architectures": []}')
    (directory / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}" + bytes(1 << 20))
    cloud.admin("PUT", "/_local/hub/repos", {"id": repo, "path": str(directory), "gated": True})
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    cloud.admin("PUT", "/_local/hub/tokens", {"sha256": digest, "user": "tester", "granted": [repo]})
    return repo


@pytest.mark.parametrize("direct", [True, False])
def test_a_gated_repo_is_for_the_holder_of_the_token(
    cloud: Connection, tmp_path: Path, project: str, direct: bool
) -> None:
    endpoint = cloud.environment["HF_ENDPOINT"] if direct else "https://huggingface.co"
    source, cache = tmp_path / "source", tmp_path / "cache"
    source.mkdir()
    repo = _add_gated_repo(cloud, source, project)
    assert HfApi(endpoint=endpoint, token=TOKEN).whoami()["name"] == "tester"
    with pytest.raises(GatedRepoError):
        hf_hub_download(repo, "config.json", endpoint=endpoint, token=False, cache_dir=cache)
    for name in ("config.json", "model.safetensors"):
        got = hf_hub_download(repo, name, endpoint=endpoint, token=TOKEN, cache_dir=cache)
        assert Path(got).read_bytes() == (source / name).read_bytes()
    assert TOKEN.encode() not in b"".join(path.read_bytes() for path in cloud.state_dir.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("path", "fields", "word"),
    [
        ("/_local/hub/repos", {"id": "no-owner", "path": "/", "gated": False}, "no-owner"),
        ("/_local/hub/repos", {"id": "a/b", "path": "/no/such/directory", "gated": False}, "/no/such/directory"),
        ("/_local/hub/repos", {"id": "a/b", "path": "/"}, "gated"),
        ("/_local/hub/tokens", {"sha256": "short", "user": "u", "granted": []}, "SHA-256"),
        ("/_local/denials", {"permission": "p", "resource": "r", "denied": 1}, "denied"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    cloud: Connection, path: str, fields: dict[str, object], word: str
) -> None:
    with pytest.raises(DaemonError, match=word):
        cloud.admin("PUT", path, fields)
