"""Files: small ones from the Hub, large ones from the content network, which must never see a token."""

import hashlib
import json
import os
import random
import struct
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
from hub_under_test import GOOD, MODEL
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError
from hypothesis import given
from hypothesis import strategies as st

WEIGHTS = MODEL["model.safetensors"]


def resolve_url(hub, repo_id, path, revision="main"):
    return hf_hub_url(repo_id, path, revision=revision, endpoint=hub.url)


def signed_url(hub, http, repo_id="org/open", **headers):
    answer = http.get(resolve_url(hub, repo_id, "model.safetensors"), headers=headers, allow_redirects=False)
    assert answer.status_code == 302
    return answer.headers["location"]


def tokens_seen(hub, http):
    return http.get(f"{hub.url}/_cdn/status").json()["requests_with_token"]


def test_a_snapshot_is_the_directory(hub, http, tmp_path):
    before = tokens_seen(hub, http)
    path = Path(snapshot_download("org/gated", endpoint=hub.url, token=GOOD, cache_dir=tmp_path))
    found = {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert found == {name: text if isinstance(text, bytes) else text.encode() for name, text in MODEL.items()}
    assert path.name == hub.api().model_info("org/gated").sha
    assert tokens_seen(hub, http) == before


def test_a_snapshot_of_a_revision_and_some_files(hub, tmp_path):
    commit = hub.api().model_info("org/open").sha
    path = snapshot_download(
        "org/open", revision=commit, allow_patterns=["*.json"], endpoint=hub.url, token=False, local_dir=tmp_path
    )
    names = {file.name for file in Path(path).iterdir() if file.is_file()}
    assert names == {"config.json", "tokenizer.json"}


def test_metadata_of_files(hub):
    commit = hub.api().model_info("org/open").sha
    large = get_hf_file_metadata(resolve_url(hub, "org/open", "model.safetensors"), token=False)
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    assert (large.etag, large.size, large.commit_hash) == (sha256, len(WEIGHTS), commit)
    assert "/_cdn/org/open/" in large.location
    small = get_hf_file_metadata(resolve_url(hub, "org/open", "config.json"), token=False)
    text = MODEL["config.json"].encode()
    oid = hashlib.sha1(b"blob %d\0" % len(text) + text).hexdigest()
    assert (small.etag, small.size, small.commit_hash) == (oid, len(text), commit)


def test_missing_files_and_revisions(hub, tmp_path):
    with pytest.raises(EntryNotFoundError) as refusal:
        hf_hub_download("org/open", "missing.json", endpoint=hub.url, token=False, cache_dir=tmp_path)
    assert refusal.value.response.headers["x-repo-commit"] == hub.api().model_info("org/open").sha
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download("org/open", "config.json", revision="v9", endpoint=hub.url, token=False, cache_dir=tmp_path)
    assert not hub.api().file_exists("org/open", "missing.json")


@pytest.mark.parametrize(
    "path", ["../gated/config.json", "..%2Fgated%2Fconfig.json", "extra", "%2e%2e/%2e%2e/etc/passwd"]
)
def test_only_files_of_the_repo_are_there(hub, path):
    host = hub.url.removeprefix("http://")
    connection = HTTPConnection(host)
    connection.request("GET", f"/org/open/resolve/main/{path}")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("x-error-code")) == (404, "EntryNotFound")
    connection.close()


def test_an_interrupted_download_goes_on(hub, http, tmp_path):
    data = random.Random(1).randbytes(300_000)
    hub.add("org/resumed", {"weights.bin": data})
    commit = hub.api().model_info("org/resumed").sha
    etag = hashlib.sha256(data).hexdigest()
    blobs = tmp_path / "models--org--resumed" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{etag}.incomplete").write_bytes(data[:100_000])
    path = hf_hub_download("org/resumed", "weights.bin", endpoint=hub.url, token=False, cache_dir=tmp_path)
    assert Path(path).read_bytes() == data
    assert Path(path).parent.name == commit


@given(start=st.integers(0, len(WEIGHTS) - 1), length=st.integers(1, 700), name=st.sampled_from(["large", "small"]))
def test_ranges_are_slices(hub, http, start, length, name):
    path, content = (
        ("model.safetensors", WEIGHTS) if name == "large" else ("tokenizer.json", MODEL["tokenizer.json"].encode())
    )
    start %= len(content)
    headers = {"range": f"bytes={start}-{start + length - 1}"}
    answer = http.get(resolve_url(hub, "org/open", path), headers=headers)
    assert (answer.status_code, answer.content) == (206, content[start : start + length])
    assert answer.headers["content-range"] == f"bytes {start}-{min(start + length, len(content)) - 1}/{len(content)}"


def test_ranges_behind_the_end(hub, http):
    answer = http.get(signed_url(hub, http), headers={"range": f"bytes={len(WEIGHTS)}-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(WEIGHTS)}")


def test_conditions(hub, http):
    for url in (resolve_url(hub, "org/open", "config.json"), signed_url(hub, http)):
        etag = http.head(url).headers["etag"]
        assert http.get(url, headers={"if-none-match": etag}).status_code == 304
        assert http.get(url, headers={"if-none-match": '"other"'}).status_code == 200
        assert http.get(url, headers={"range": "bytes=0-1", "if-range": etag}).status_code == 206
        assert http.get(url, headers={"range": "bytes=0-1", "if-range": '"other"'}).status_code == 200


def test_the_content_network_refuses_and_counts_a_token(hub, http):
    before = tokens_seen(hub, http)
    answer = http.get(signed_url(hub, http), headers={"authorization": f"Bearer {GOOD}"})
    assert answer.status_code == 400
    assert tokens_seen(hub, http) == before + 1


def test_a_signed_url_expires(hub, http):
    url = signed_url(hub, http)
    hub.clock.advance(timedelta(minutes=59))
    assert http.get(url).content == WEIGHTS
    hub.clock.advance(timedelta(minutes=2))
    assert http.get(url).status_code == 403
    assert http.get(signed_url(hub, http)).content == WEIGHTS


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("Expires=", "Expires=9"),
        lambda url: url.replace("Signature=", "Signature=0"),
        lambda url: url.partition("&Signature")[0],
        lambda url: url.partition("?")[0],
        lambda url: url.replace("filename=model", "filename=other"),
        lambda url: url.replace("org/open", "org/gated"),
    ],
    ids=["later", "other signature", "no signature", "nothing signed", "other file name", "other repo"],
)
def test_a_changed_url_is_refused(hub, http, change):
    url = signed_url(hub, http)
    assert change(url) != url
    assert http.get(change(url)).status_code == 403


def test_the_content_network_is_another_host(hub, http):
    port = hub.url.rpartition(":")[2]
    assert signed_url(hub, http).startswith(f"http://localhost:{port}/_cdn/")
    assert signed_url(hub, http, host=f"localhost:{port}").startswith(f"http://127.0.0.1:{port}/_cdn/")
    assert signed_url(hub, http, host="huggingface.co").startswith("https://cdn-lfs.hf.co/_cdn/")


def test_which_files_are_large(hub):
    over = bytes((10 << 20) + 1)
    default = {"a.gguf": "g", "b.onnx": "o", "c.json": over, "d.json": "{}", "saved_model/x/y": "s"}
    hub.add("org/default", default)
    hub.add("org/own", {**default, ".gitattributes": "*.json filter=lfs diff=lfs merge=lfs -text\nd.txt text\n"})

    def large(repo_id):
        tree = hub.api().list_repo_tree(repo_id, recursive=True)
        return [entry.path for entry in tree if getattr(entry, "lfs", None)]

    assert large("org/default") == ["a.gguf", "b.onnx", "c.json", "saved_model/x/y"]
    assert large("org/own") == ["c.json", "d.json"]


def test_files_are_hashed_once(hub, http):
    directory = hub.add("org/once", {"weights.bin": "first"})
    weights, path = directory / "weights.bin", resolve_url(hub, "org/once", "weights.bin")

    def etag():
        return http.head(path, allow_redirects=False).headers["x-linked-etag"].strip('"')

    assert etag() == hashlib.sha256(b"first").hexdigest()
    changed = weights.stat().st_mtime_ns
    weights.write_bytes(b"other")
    os.utime(weights, ns=(changed, changed))
    assert etag() == hashlib.sha256(b"first").hexdigest()
    os.utime(weights)
    assert etag() == hashlib.sha256(b"other").hexdigest()


def test_a_long_safetensors_head_is_read_in_a_second_range(hub):
    tensors = {f"layer-{number}": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]} for number in range(3000)}
    head = json.dumps(tensors).encode()
    assert len(head) > 100_000
    hub.add("org/long-head", {"model.safetensors": struct.pack("<Q", len(head)) + head + bytes(2)})
    assert hub.api().get_safetensors_metadata("org/long-head").parameter_count == {"BF16": 3000}
