"""Uploads in one request: media and multipart."""

import io
import json

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from hypothesis import given
from hypothesis import strategies as st


def upload_url(endpoint, bucket):
    return f"{endpoint}/upload/storage/v1/b/{bucket.name}/o"


def test_wrong_checksums_are_refused_and_leave_nothing(bucket):
    for field, value in (("crc32c", "AAAAAA=="), ("md5_hash", "1B2M2Y8AsgTpgAmY7PhCfg==")):
        blob = bucket.blob("object")
        setattr(blob, field, value)
        with pytest.raises(BadRequest, match="doesn't match calculated"):
            blob.upload_from_string("hello", checksum=None)
    assert bucket.get_blob("object") is None


@pytest.mark.parametrize("checksum", ["crc32c", "md5"])
def test_right_checksums_are_accepted(bucket, checksum):
    bucket.blob("object").upload_from_string("hello", checksum=checksum)
    assert bucket.blob("object").download_as_bytes() == b"hello"


def test_a_checksum_in_the_header_of_a_media_upload(endpoint, http, bucket):
    asked = {"uploadType": "media", "name": "object"}
    url = upload_url(endpoint, bucket)
    wrong = http.post(url, params=asked, data=b"hello", headers={"x-goog-hash": "crc32c=AAAAAA=="})
    assert wrong.status_code == 400
    right = http.post(url, params=asked, data=b"hello", headers={"x-goog-hash": "crc32c=mnG7TA=="})
    assert right.json()["md5Hash"] == "XUFAKrxLKna5cZ2REBfFkg=="


def test_a_body_sent_in_chunks_without_length(endpoint, http, bucket):
    pieces = iter([b"one, ", b"two, ", b"three"])
    asked = {"uploadType": "media", "name": "object"}
    http.post(upload_url(endpoint, bucket), params=asked, data=pieces, headers={"content-type": "text/x-own"})
    found = bucket.get_blob("object")
    assert (found.download_as_bytes(), found.content_type) == (b"one, two, three", "text/x-own")


@pytest.mark.parametrize("kind", ["media", "multipart", "resumable"])
def test_an_object_without_a_name(endpoint, http, bucket, kind):
    body = b'--b\r\n\r\n{"contentType": "text/x"}\r\n--b\r\n\r\nx\r\n--b--' if kind == "multipart" else b""
    headers = {"content-type": "multipart/related; boundary=b"} if kind == "multipart" else {}
    answer = http.post(
        upload_url(endpoint, bucket), params={"uploadType": kind, "name": ""}, data=body, headers=headers
    )
    error = '[{"message":"No object name","domain":"global","reason":"required"}]'
    assert answer.text == '{"error":{"code":400,"message":"No object name","errors":' + error + "}}"
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=UTF-8")


def test_an_empty_object(bucket):
    bucket.blob("empty").upload_from_string(b"")
    found = bucket.get_blob("empty")
    assert (found.size, found.crc32c, found.download_as_bytes()) == (0, "AAAAAA==", b"")


def test_a_multipart_body_as_gcloud_writes_it(endpoint, http, bucket):
    """Lines end with a line feed alone, and the boundary is in single quotes, which are not part of it."""
    data = b"one\n\ntwo\r\n"
    body = b"--==1==\nContent-Type: application/json\n\n" + b'{"name": "object"}' + b"\n--==1==\n"
    body += b"Content-Type: text/x-own\nContent-Transfer-Encoding: binary\n\n" + data + b"\n--==1==--"
    headers = {"content-type": "multipart/related; boundary='==1=='"}
    answer = http.post(upload_url(endpoint, bucket), params={"uploadType": "multipart"}, data=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found = bucket.get_blob("object")
    assert (found.download_as_bytes(), found.content_type) == (data, "text/x-own")


@given(parts=st.lists(st.sampled_from([b"\r\n", b"--", b"--limit", b"\r\n--limi", b"\r", b"-", b"x" * 70_000])))
def test_bytes_that_look_like_boundaries(endpoint, http, shared_bucket, parts):
    data = b"".join(parts).replace(b"\r\n--limit", b"\r\n--limes")
    resource = json.dumps({"name": "tricky"}).encode()
    body = (
        b"--limit\r\nContent-Type: application/json\r\n\r\n"
        + resource
        + b"\r\n--limit\r\nContent-Type: text/x-own\r\n\r\n"
        + data
        + b"\r\n--limit--"
    )
    answer = http.post(
        upload_url(endpoint, shared_bucket),
        params={"uploadType": "multipart"},
        data=body,
        headers={"content-type": 'multipart/related; boundary="limit"'},
    )
    assert answer.json()["contentType"] == "text/x-own"
    assert shared_bucket.blob("tricky").download_as_bytes() == data


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/related; boundary=limit", b"--limit\r\n\r\n{}"),
        ("multipart/related; boundary=limit", b"--limit\r\n\r\n{\r\n--limit\r\n\r\nbytes\r\n--limit--"),
        ("multipart/related; boundary=limit", b"--limit\r\n\r\n[]\r\n--limit\r\n\r\nbytes\r\n--limit--"),
        ("multipart/related; boundary=limit", b'--limit\r\n\r\n{"name": "a"}\r\n--limit\r\n\r\nbytes'),
        ("multipart/related; boundary=limit", b"--limit\r\n\r\n{}\r\n--limit\r\n\r\nbytes\r\n--limit--"),
    ],
    ids=["not multipart", "one part", "no JSON", "no object", "no end", "no name"],
)
def test_malformed_multipart_bodies(endpoint, http, bucket, content_type, body):
    url = upload_url(endpoint, bucket)
    answer = http.post(url, params={"uploadType": "multipart"}, data=body, headers={"content-type": content_type})
    assert answer.status_code == 400
    assert list(bucket.list_blobs()) == []


def test_a_large_upload_into_a_missing_bucket_is_answered_not_cut_off(client):
    blob = client.bucket("missing").blob("object", chunk_size=None)
    with pytest.raises(NotFound, match="bucket does not exist"):
        blob.upload_from_file(io.BytesIO(bytes(7 << 20)), size=7 << 20)


def test_an_unknown_upload_type(endpoint, http, bucket):
    answer = http.post(upload_url(endpoint, bucket), params={"uploadType": "carrier-pigeon", "name": "a"})
    assert answer.status_code == 400


def test_customer_supplied_keys_are_refused_not_ignored(bucket):
    from google.api_core.exceptions import MethodNotImplemented

    with pytest.raises(MethodNotImplemented, match="encryption keys"):
        bucket.blob("secret", encryption_key=bytes(32)).upload_from_string("bytes")
