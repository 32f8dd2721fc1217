import gzip
import random

import pytest
from google.api_core.exceptions import RequestRangeNotSatisfiable
from hypothesis import given
from hypothesis import strategies as st

from localcloud.core.byte_ranges import ByteRange, RangeNotSatisfiable, parse_range

PIECES = (b"", b"abc", random.Random(5).randbytes(1500), b"z")
JOINED = b"".join(PIECES)


@pytest.fixture(scope="module")
def composed(client):
    """An object of several segments, one of them empty."""
    bucket = client.create_bucket("downloads")
    for number, piece in enumerate(PIECES):
        bucket.blob(str(number)).upload_from_string(piece)
    bucket.blob("composed").compose([bucket.blob(str(number)) for number in range(len(PIECES))])
    return bucket.blob("composed")


@given(start=st.integers(0, len(JOINED) - 1), length=st.integers(1, 2000))
def test_ranges_are_slices(composed, start, length):
    assert composed.download_as_bytes(start=start, end=start + length - 1) == JOINED[start : start + length]


@given(length=st.integers(1, 2000))
def test_suffixes_are_slices(endpoint, http, composed, length):
    url = f"{endpoint}/{composed.bucket.name}/composed"
    answer = http.get(url, headers={"range": f"bytes=-{length}"})
    assert (answer.status_code, answer.content) == (206, JOINED[-length:])


@pytest.mark.parametrize("path", ["/storage/v1/b/downloads/o/composed?alt=media", "/downloads/composed"])
def test_a_part_says_where_it_is(endpoint, http, composed, path):
    answer = http.get(endpoint + path, headers={"range": "bytes=2-5"})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes 2-5/{len(JOINED)}"
    assert answer.headers["content-length"] == "4"


def test_a_range_behind_the_end(endpoint, http, composed):
    with pytest.raises(RequestRangeNotSatisfiable):
        composed.download_as_bytes(start=len(JOINED))
    answer = http.get(f"{endpoint}/downloads/composed", headers={"range": "bytes=5000-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(JOINED)}")


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        (None, 10, None),
        ("bytes=0-", 10, ByteRange(0, 10)),
        ("bytes=3-5", 10, ByteRange(3, 6)),
        ("bytes=3-99", 10, ByteRange(3, 10)),
        ("bytes=-4", 10, ByteRange(6, 10)),
        ("bytes=-99", 10, ByteRange(0, 10)),
        ("bytes=5-3", 10, None),
        ("bytes=1-2,4-5", 10, None),
        ("bytes=-", 10, None),
        ("lines=1-2", 10, None),
    ],
)
def test_range_headers(header, size, expected):
    assert parse_range(header, size) == expected


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=0-", 0), ("bytes=-0", 10), ("bytes=-5", 0)])
def test_ranges_that_hold_nothing(header, size):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, size)


def test_headers_tell_the_metadata(endpoint, http, bucket):
    blob = bucket.blob("object")
    blob.metadata = {"colour": "grün"}
    blob.cache_control = "no-store"
    blob.content_disposition = "inline"
    blob.upload_from_string("hello", content_type="text/x-own")

    answer = http.get(f"{endpoint}/{bucket.name}/object")

    expected = {
        "etag": '"5d41402abc4b2a76b9719d911017c592"',
        "content-type": "text/x-own",
        "cache-control": "no-store",
        "content-disposition": "inline",
        "x-goog-generation": str(blob.generation),
        "x-goog-metageneration": "1",
        "x-goog-hash": "crc32c=mnG7TA==, md5=XUFAKrxLKna5cZ2REBfFkg==",
        "x-goog-storage-class": "STANDARD",
        "x-goog-stored-content-encoding": "identity",
    }
    assert {name: answer.headers[name] for name in expected} == expected
    assert answer.headers["x-goog-meta-colour"].encode("latin-1").decode() == "grün"


def test_bytes_through_the_json_api_have_its_etag_and_no_header_of_the_xml_api(endpoint, http, bucket):
    blob = bucket.blob("object")
    blob.upload_from_string("hello", content_type="text/x-own")
    url = f"{endpoint}/download/storage/v1/b/{bucket.name}/o/object?alt=media"

    def shown(answer):
        names = ("etag", "content-type", "x-goog-generation", "x-goog-storage-class", "x-goog-hash", "content-range")
        return [answer.headers.get(name) for name in names]

    generation = str(blob.generation)
    hashes = "crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg=="
    assert shown(http.get(url)) == [blob.etag, "text/x-own", generation, "STANDARD", hashes, None]
    part = http.get(url, headers={"range": "bytes=1-2"})
    assert shown(part) == [blob.etag, "text/x-own", generation, "STANDARD", None, "bytes 1-2/5"]
    absent = {"accept-ranges", "last-modified", "x-goog-stored-content-encoding", "x-goog-stored-content-length"}
    assert absent.isdisjoint({name.lower() for answer in (http.get(url), part) for name in answer.headers})
    assert http.get(url, headers={"if-none-match": blob.etag}).status_code == 304


@pytest.mark.parametrize("path", ["download/storage/v1/b/{bucket}/o/object?alt=media", "{bucket}/object"])
def test_an_encoding_of_identity_is_metadata_alone(endpoint, http, bucket, path):
    blob = bucket.blob("object")
    blob.content_encoding = "identity"
    blob.upload_from_string("hello")
    answer = http.get(f"{endpoint}/{path.format(bucket=bucket.name)}")
    assert (answer.content, "content-encoding" in answer.headers) == (b"hello", False)
    assert bucket.get_blob("object").content_encoding == "identity"


def test_a_gzipped_object_comes_as_the_caller_can_take_it(endpoint, http, bucket):
    text = b"repeated " * 50_000
    blob = bucket.blob("object")
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(text), content_type="text/plain")
    url = f"{endpoint}/{bucket.name}/object"

    plain = http.get(url, headers={"accept-encoding": "identity"})
    assert (plain.content, "content-encoding" in plain.headers) == (text, False)
    packed = http.get(url, headers={"accept-encoding": "gzip"}, stream=True)
    assert gzip.decompress(packed.raw.read()) == text
    assert blob.download_as_bytes() == text


def test_an_unchanged_object_is_not_sent_again(endpoint, http, bucket):
    bucket.blob("object").upload_from_string("hello")
    url = f"{endpoint}/{bucket.name}/object"
    etag = http.head(url).headers["etag"]
    assert http.get(url, headers={"if-none-match": etag}).status_code == 304
    assert http.get(url, headers={"if-match": '"another"'}).status_code == 412


def test_a_download_in_progress_outlives_the_object(endpoint, http, bucket):
    data = random.Random(6).randbytes(24 << 20)
    blob = bucket.blob("object")
    blob.upload_from_string(data)
    with http.get(f"{endpoint}/{bucket.name}/object", stream=True) as answer:
        begin = answer.raw.read(1000)
        blob.delete()
        assert begin + answer.raw.read() == data
    assert bucket.get_blob("object") is None


def test_files_in_chunks_by_the_transfer_manager(bucket, tmp_path):
    from google.cloud.storage import transfer_manager

    data = random.Random(7).randbytes(3_000_000)
    bucket.blob("object").upload_from_string(data)
    file = tmp_path / "object"
    transfer_manager.download_chunks_concurrently(
        bucket.get_blob("object"), str(file), chunk_size=1 << 20, max_workers=2, worker_type="thread"
    )
    assert file.read_bytes() == data


def test_bytes_through_either_api_are_not_for_shared_caches(bucket, http, endpoint):
    bucket.blob("plain").upload_from_string("text")
    json_api = http.get(f"{endpoint}/download/storage/v1/b/{bucket.name}/o/plain?alt=media")
    xml_api = http.get(f"{endpoint}/{bucket.name}/plain")

    assert json_api.headers["cache-control"] == "no-cache, no-store, max-age=0, must-revalidate"
    assert json_api.headers["content-disposition"] == "attachment"
    assert xml_api.headers["cache-control"] == "private, max-age=0"
    assert "content-disposition" not in xml_api.headers


def test_a_missing_object_is_told_in_the_form_that_was_asked_for(bucket, http, endpoint):
    path = f"/storage/v1/b/{bucket.name}/o/absent"
    resource = http.get(f"{endpoint}{path}")
    media = http.get(f"{endpoint}/download{path}?alt=media")
    xml = http.get(f"{endpoint}/{bucket.name}/absent")

    message = f"No such object: {bucket.name}/absent"
    assert [answer.status_code for answer in (resource, media, xml)] == [404, 404, 404]
    assert resource.json()["error"]["message"] == message
    assert (media.text, media.headers["content-type"]) == (message, "text/html; charset=UTF-8")
    assert xml.headers["content-type"] == "application/xml; charset=UTF-8"
    assert xml.text == (
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoSuchKey</Code>"
        f"<Message>The specified key does not exist.</Message><Details>{message}</Details></Error>"
    )


def test_a_client_knows_etag_and_md5_of_what_it_downloaded(bucket):
    bucket.blob("object").upload_from_string("hello")
    told = bucket.get_blob("object")
    blob = bucket.blob("object")

    blob.download_as_bytes()

    assert (blob.etag, blob.md5_hash, blob.crc32c) == (told.etag, "XUFAKrxLKna5cZ2REBfFkg==", "mnG7TA==")
    assert blob.download_as_bytes(if_etag_match=blob.etag) == b"hello"
