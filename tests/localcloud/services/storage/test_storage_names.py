"""Object names are names: whatever they look like, they never reach the file system."""

from pathlib import Path
from urllib.parse import quote

import pytest
from google.api_core.exceptions import BadRequest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from hypothesis import given
from hypothesis import strategies as st
from storage_server import storage_app

CHARACTERS = st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\n")
PATHS = st.lists(st.sampled_from(["..", ".", "", "a", "%2e%2e", "\\", "~", "C:", "\0"]), min_size=1).map("/".join)
ALLOWED = st.one_of(st.text(CHARACTERS, min_size=1, max_size=60), PATHS).filter(
    lambda name: name not in ("", ".", "..") and not name.startswith(".well-known/acme-challenge/")
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("names") / "data"


@pytest.fixture(scope="module")
def names_endpoint(serve, data_dir):
    with serve(storage_app(data_dir)) as url:
        yield url


@pytest.fixture(scope="module")
def names_bucket(names_endpoint):
    client = storage.Client("p", AnonymousCredentials(), client_options={"api_endpoint": names_endpoint})
    bucket = client.bucket("names")
    bucket.soft_delete_policy.retention_duration_seconds = 0  # Bytes of deleted objects are gone at once.
    return client.create_bucket(bucket)


@given(name=ALLOWED, data=st.binary(max_size=20))
def test_any_name_holds_its_bytes_and_stays_inside(names_bucket, data_dir, name, data):
    around = sorted(path for path in data_dir.parent.iterdir())
    blob = names_bucket.blob(name)
    blob.upload_from_string(data)
    try:
        assert [found.name for found in names_bucket.list_blobs()] == [name]
        assert names_bucket.get_blob(name).name == name
        assert names_bucket.blob(name).download_as_bytes() == data
        assert sorted(path for path in data_dir.parent.iterdir()) == around
        stored = [path for path in (data_dir / "bytes").glob("**/*") if path.is_file()]
        assert [path.read_bytes() for path in stored] == [data]
        assert len(stored[0].name) == 32
    finally:
        blob.delete()
    assert not [path for path in (data_dir / "bytes").glob("**/*") if path.is_file()]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../../b", "%2e%2e/c", "/absolute", "ünï çode/\U0001f600"])
def test_names_in_the_xml_api(names_endpoint, names_bucket, http, name):
    url = f"{names_endpoint}/names/{quote(name, safe='')}"
    assert http.put(url, data=b"bytes").status_code == 200
    assert names_bucket.blob(name).download_as_bytes() == b"bytes"
    assert http.get(url).content == b"bytes"
    assert http.delete(url).status_code == 204
    assert http.get(url).status_code == 404


@pytest.mark.parametrize("name", [".", "..", "line\nbreak", ".well-known/acme-challenge/x", "x" * 1025])
def test_names_that_cloud_storage_refuses(bucket, name):
    with pytest.raises(BadRequest):
        bucket.blob(name).upload_from_string("bytes")
    assert list(bucket.list_blobs()) == []


def test_a_name_that_is_no_utf_8_is_refused(endpoint, http, bucket):
    assert http.get(f"{endpoint}/storage/v1/b/{bucket.name}/o/%ff%fe").status_code == 400


def test_a_bucket_in_the_host(endpoint, http, bucket):
    host = {"host": f"{bucket.name}.storage.googleapis.com"}
    assert http.put(f"{endpoint}/a/b.txt", data=b"bytes", headers=host).status_code == 200
    assert http.get(f"{endpoint}/a/b.txt", headers=host).content == b"bytes"
    assert bucket.get_blob("a/b.txt").size == 5
