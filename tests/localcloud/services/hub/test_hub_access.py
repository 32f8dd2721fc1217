"""Access to repositories, and refusals as the real client's exceptions."""

import hashlib
from pathlib import Path

import pytest
from hub_under_test import BAD, GOOD, STRANGER
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from localcloud.services.hub import add_repo, add_token


def download(hub, tmp_path, repo_id, token):
    return hf_hub_download(repo_id, "config.json", endpoint=hub.url, token=token, cache_dir=tmp_path)


def test_whoami(hub):
    found = hub.api(GOOD).whoami()
    assert (found["name"], found["type"], found["auth"]["type"]) == ("alice", "user", "access_token")


def test_whoami_with_a_bad_token(hub):
    with pytest.raises(HfHubHTTPError, match="Invalid user token") as refusal:
        hub.api(BAD).whoami()
    assert refusal.value.response.status_code == 401


@pytest.mark.parametrize(
    ("repo_id", "token", "error", "status"),
    [
        ("org/gated", False, GatedRepoError, 401),
        ("org/gated", STRANGER, GatedRepoError, 403),
        ("org/private", False, RepositoryNotFoundError, 401),
        ("org/private", STRANGER, RepositoryNotFoundError, 404),
        ("org/missing", False, RepositoryNotFoundError, 401),
        ("org/missing", GOOD, RepositoryNotFoundError, 404),
        ("ownerless", GOOD, RepositoryNotFoundError, 404),
    ],
)
def test_refusals(hub, tmp_path, repo_id, token, error, status):
    for refused in (
        lambda: hub.api(token).auth_check(repo_id),
        lambda: download(hub, tmp_path, repo_id, token),
    ):
        with pytest.raises(error) as refusal:
            refused()
        assert type(refusal.value) is error
        assert refusal.value.response.status_code == status


@pytest.mark.parametrize(
    ("repo_id", "token"), [("org/open", False), ("org/open", STRANGER), ("org/gated", GOOD), ("org/private", GOOD)]
)
def test_what_is_open(hub, tmp_path, repo_id, token):
    hub.api(token).auth_check(repo_id)
    assert "LlamaForCausalLM" in Path(download(hub, tmp_path, repo_id, token)).read_text()


@pytest.mark.parametrize("repo_id", ["org/open", "org/gated", "org/missing"])
def test_a_bad_token_is_refused_everywhere(hub, tmp_path, repo_id):
    for refused in (
        lambda: hub.api(BAD).model_info(repo_id),
        lambda: hub.api(BAD).auth_check(repo_id),
        lambda: download(hub, tmp_path, repo_id, BAD),
    ):
        with pytest.raises(HfHubHTTPError, match="Invalid credentials in Authorization header") as refusal:
            refused()
        assert not isinstance(refusal.value, GatedRepoError | RepositoryNotFoundError)
        assert refusal.value.response.status_code == 401


def test_a_gated_repos_description_is_open_to_all(hub):
    found = hub.api().model_info("org/gated")
    assert (found.gated, found.private) == ("manual", False)
    assert "config.json" in [file.path for file in hub.api().list_repo_tree("org/gated")]


def test_the_owner_needs_no_grant(hub):
    hub.add("bob/own", {"config.json": "{}"}, gated=True, private=True)
    hub.api(STRANGER).auth_check("bob/own")
    with pytest.raises(RepositoryNotFoundError):
        hub.api(GOOD).auth_check("bob/own")


def test_a_grant_can_be_added_later(hub):
    hub.add("org/later", {"config.json": "{}"}, gated=True)
    sha256 = hashlib.sha256(b"hf_patient").hexdigest()
    add_token(hub.data_dir, sha256, "carol", [])
    with pytest.raises(GatedRepoError):
        hub.api("hf_patient").auth_check("org/later")
    add_token(hub.data_dir, sha256, "carol", ["org/later"])
    hub.api("hf_patient").auth_check("org/later")


def test_nobody_may_write(hub):
    for token, status in ((GOOD, 403), (False, 401)):
        with pytest.raises(HfHubHTTPError) as refusal:
            hub.api(token).auth_check("org/open", write=True)
        assert refusal.value.response.status_code == status


def test_tokens_are_kept_nowhere(hub):
    held = [path.read_bytes() for path in hub.data_dir.rglob("*") if path.is_file()]
    assert hashlib.sha256(GOOD.encode()).hexdigest().encode() in b"".join(held)
    assert not any(token.encode() in content for token in (GOOD, STRANGER) for content in held)


@pytest.mark.parametrize("repo_id", ["ownerless", "../escape", "a/../b", "org/na--me", "org/", "org/.hidden", "a/b/c"])
def test_ids_that_are_none(hub, tmp_path, repo_id):
    with pytest.raises(ValueError, match="not a repo id"):
        add_repo(hub.data_dir, repo_id, tmp_path)


def test_settings_that_cannot_work(hub, tmp_path):
    with pytest.raises(ValueError, match="is not a directory"):
        add_repo(hub.data_dir, "org/nowhere", tmp_path / "nowhere")
    with pytest.raises(ValueError, match="SHA-256"):
        add_token(hub.data_dir, GOOD, "alice", [])


def test_what_is_missing_says_so(hub, http):
    answer = http.get(f"{hub.url}/api/trending")
    assert (answer.status_code, answer.json()) == (501, {"error": "The local Hub does not implement GET /api/trending"})


@pytest.mark.parametrize("call", ["likers", "discussions", "lfs-files", "settings"])
def test_a_missing_method_of_a_model_that_is_there_says_so(hub, http, call):
    answer = http.get(f"{hub.url}/api/models/org/open/{call}")
    assert (answer.status_code, answer.json()["error"]) == (
        501,
        f"The local Hub does not implement GET /api/models/org/open/{call}",
    )
    hidden = http.get(f"{hub.url}/api/models/org/private/{call}")
    assert (hidden.status_code, hidden.headers["X-Error-Code"]) == (401, "RepoNotFound")


@pytest.mark.parametrize(
    "path", ["/api/datasets/org/open", "/api/spaces/org/open", "/datasets/org/open/resolve/main/a"]
)
def test_other_kinds_of_repos_are_not_there(hub, http, path):
    answer = http.get(hub.url + path)
    assert (answer.status_code, answer.headers["x-error-code"]) == (401, "RepoNotFound")
