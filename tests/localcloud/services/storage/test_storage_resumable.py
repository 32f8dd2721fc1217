import io
import json
import random

import pytest
from google.api_core.exceptions import PreconditionFailed
from hypothesis import given
from hypothesis import strategies as st

BLOCK = 256 * 1024


@pytest.fixture(scope="module")
def start(endpoint, http):
    """Starts a session and returns its URL."""

    def start_session(bucket, name="object", resource=None, **headers):
        url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o"
        asked = {"uploadType": "resumable", "name": name}
        answer = http.post(url, params=asked, data=json.dumps(resource or {}), headers=headers)
        assert answer.status_code == 200
        return answer.headers["location"]

    return start_session


def send(http, location, data, first, total):
    """Sends data as the object's bytes from `first` on."""
    content_range = f"bytes {first}-{first + len(data) - 1}/{total}"
    return http.put(location, data=data, headers={"content-range": content_range}, allow_redirects=False)


def query(http, location, total="*"):
    return http.put(location, headers={"content-range": f"bytes */{total}"}, allow_redirects=False)


@given(blocks=st.lists(st.integers(1, 5), max_size=4), rest=st.integers(0, BLOCK), known=st.booleans())
def test_any_cut_into_chunks_gives_the_bytes(http, shared_bucket, start, blocks, rest, known):
    data = random.Random(rest).randbytes(sum(blocks) * BLOCK + rest)
    location, first = start(shared_bucket), 0
    for count in blocks:
        chunk = data[first : first + count * BLOCK]
        first += len(chunk)
        if first < len(data):
            total = len(data) if known else "*"
            answer = send(http, location, chunk, first - len(chunk), total)
            assert (answer.status_code, answer.headers["range"]) == (308, f"bytes=0-{first - 1}")
        else:
            assert send(http, location, chunk, first - len(chunk), len(data)).status_code == 200
    if rest or not blocks:
        answer = send(http, location, data[first:], first, len(data)) if rest else query(http, location, 0)
        assert answer.status_code == 200
    found = shared_bucket.get_blob("object")
    assert (found.size, found.download_as_bytes()) == (len(data), data)


def test_the_client_library_uploads_in_chunks(bucket):
    data = random.Random(1).randbytes(5 * (1 << 20) + 77)
    blob = bucket.blob("object", chunk_size=1 << 20)
    blob.upload_from_file(io.BytesIO(data))
    assert bucket.blob("object").download_as_bytes() == data


def test_a_writer_that_does_not_know_the_size(bucket):
    data = random.Random(2).randbytes(1_000_000)
    with bucket.blob("object").open("wb", chunk_size=BLOCK) as file:
        for offset in range(0, len(data), 100_000):
            file.write(data[offset : offset + 100_000])
    assert bucket.blob("object").download_as_bytes() == data


def test_the_status_says_how_much_has_arrived(http, bucket, start):
    location = start(bucket)
    empty = query(http, location)
    assert (empty.status_code, "range" in empty.headers) == (308, False)
    send(http, location, bytes(2 * BLOCK), 0, "*")
    assert query(http, location).headers["range"] == f"bytes=0-{2 * BLOCK - 1}"


def test_only_whole_blocks_are_kept_of_a_chunk_that_is_not_the_last(http, bucket, start):
    location = start(bucket)
    answer = send(http, location, bytes(BLOCK + 1000), 0, "*")
    assert answer.headers["range"] == f"bytes=0-{BLOCK - 1}"


def test_bytes_sent_again_are_skipped(http, bucket, start):
    data = random.Random(3).randbytes(3 * BLOCK)
    location = start(bucket)
    send(http, location, data[: 2 * BLOCK], 0, len(data))
    assert send(http, location, data[BLOCK:], BLOCK, len(data)).status_code == 200
    assert bucket.blob("object").download_as_bytes() == data


def test_a_finished_session_answers_with_the_object(http, bucket, start):
    location = start(bucket)
    finished = send(http, location, b"bytes", 0, 5).json()
    assert query(http, location).json() == finished
    assert send(http, location, b"bytes", 0, 5).json() == finished
    assert bucket.get_blob("object").generation == int(finished["generation"])


def test_the_size_may_be_told_at_the_end(http, bucket, start):
    location = start(bucket)
    send(http, location, bytes(BLOCK), 0, "*")
    assert query(http, location, BLOCK).json()["size"] == str(BLOCK)


def test_a_whole_body_without_content_range(http, bucket, start):
    location = start(bucket, resource={"contentType": "text/x-own", "metadata": {"k": "v"}})
    assert http.put(location, data=b"all of it").status_code == 200
    found = bucket.get_blob("object")
    assert (found.download_as_bytes(), found.content_type, found.metadata) == (b"all of it", "text/x-own", {"k": "v"})


@pytest.mark.parametrize(
    "content_range",
    ["bytes 300000-600000/900000", "bytes 0-99/*", "bytes 5-2/9", "bytes 0-9/5", "bytes 0-261143/*", "nonsense"],
    ids=["gap", "too short", "backwards", "over the end", "not its length", "no range"],
)
def test_chunks_that_are_refused(http, bucket, start, content_range):
    location = start(bucket)
    answer = http.put(location, data=bytes(100), headers={"content-range": content_range}, allow_redirects=False)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "invalid")
    assert query(http, location).status_code == 308


def test_a_size_other_than_announced_is_refused(http, bucket, start):
    location = start(bucket, **{"x-upload-content-length": "10"})
    assert send(http, location, b"12345", 0, 5).status_code == 400


def test_a_cancelled_session_is_over(http, bucket, start):
    location = start(bucket)
    send(http, location, bytes(BLOCK), 0, "*")
    assert http.delete(location).status_code == 499
    assert query(http, location).status_code == 499
    assert http.delete(location + "0").status_code == 404
    assert bucket.get_blob("object") is None


def test_checksums_are_compared_at_the_end(http, bucket, start):
    location = start(bucket, resource={"crc32c": "AAAAAA=="})
    assert send(http, location, b"hello", 0, 5).status_code == 400
    location = start(bucket)
    headers = {"content-range": "bytes 0-4/5", "x-goog-hash": "md5=1B2M2Y8AsgTpgAmY7PhCfg=="}
    assert http.put(location, data=b"hello", headers=headers).status_code == 400
    assert bucket.get_blob("object") is None


def test_conditions_hold_at_the_start_and_at_the_end(endpoint, http, bucket):
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o"
    asked = {"uploadType": "resumable", "name": "object", "ifGenerationMatch": "0"}
    location = http.post(url, params=asked).headers["location"]
    bucket.blob("object").upload_from_string("somebody was faster")

    assert send(http, location, b"late", 0, 4).status_code == 412
    assert http.post(url, params=asked).status_code == 412
    assert bucket.blob("object").download_as_bytes() == b"somebody was faster"


def test_conditions_of_the_client_library(bucket):
    blob = bucket.blob("object", chunk_size=BLOCK)
    blob.upload_from_file(io.BytesIO(bytes(3 * BLOCK)), if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("object", chunk_size=BLOCK).upload_from_file(io.BytesIO(bytes(BLOCK)), if_generation_match=0)


@pytest.mark.parametrize(
    ("host", "base"),
    [("storage.googleapis.com", "https://storage.googleapis.com"), ("127.0.0.1:1", "http://127.0.0.1:1")],
)
def test_the_session_is_at_the_host_that_was_asked(endpoint, http, bucket, host, base):
    url = f"{endpoint}/upload/storage/v1/b/{bucket.name}/o"
    answer = http.post(url, params={"uploadType": "resumable", "name": "object"}, headers={"host": host})
    assert answer.headers["location"].startswith(f"{base}/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&")
