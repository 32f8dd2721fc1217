"""Multipart uploads of the XML API."""

import base64
import hashlib
import random
import socket
from xml.etree import ElementTree

import google_crc32c
import pytest
from google.cloud.storage import transfer_manager

from localcloud.services.storage import part_requests
from tests.waiting import wait_until

SMALLEST = 5 << 20
NAMESPACE = {"": "http://s3.amazonaws.com/doc/2006-03-01/"}


class Multipart:
    """A multipart upload by raw requests."""

    def __init__(self, http, endpoint, bucket, name="folder/object", **headers):
        self.http, self.bucket, self.name = http, bucket, name
        self.url = f"{endpoint}/{bucket.name}/{name}"
        answer = http.post(self.url, params={"uploads": ""}, headers=headers)
        assert answer.status_code == 200
        self.id = ElementTree.fromstring(answer.content).findtext("UploadId", namespaces=NAMESPACE)

    def send(self, number, data, **headers):
        return self.http.put(self.url, params={"partNumber": number, "uploadId": self.id}, data=data, headers=headers)

    def complete(self, parts):
        entries = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in parts
        )
        body = f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>"
        return self.http.post(self.url, params={"uploadId": self.id}, data=body)

    def list_parts(self, **query):
        answer = self.http.get(self.url, params={"uploadId": self.id, **query})
        return ElementTree.fromstring(answer.content) if answer.ok else answer

    def abort(self):
        return self.http.delete(self.url, params={"uploadId": self.id})


@pytest.fixture
def upload(http, endpoint, bucket):
    return Multipart(http, endpoint, bucket)


def code(answer):
    return answer.status_code, ElementTree.fromstring(answer.content).findtext("Code")


def crc32c(data):
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def test_the_transfer_managers_upload(bucket, tmp_path):
    data = random.Random(1).randbytes(12_000_001)
    (tmp_path / "file").write_bytes(data)
    blob = bucket.blob("object")
    blob.metadata = {"k": "v"}
    transfer_manager.upload_chunks_concurrently(
        str(tmp_path / "file"), blob, chunk_size=SMALLEST, max_workers=2, worker_type="thread"
    )
    found = bucket.get_blob("object")
    assert (found.size, found.crc32c, found.md5_hash, found.metadata) == (len(data), crc32c(data), None, {"k": "v"})
    assert found.download_as_bytes() == data


def test_parts_are_joined_in_order_of_their_numbers(upload, bucket):
    first, second, third = (random.Random(seed).randbytes(SMALLEST + seed) for seed in (2, 3, 4))
    etags = {
        number: upload.send(number, data).headers["etag"]
        for number, data in ((70, second), (9, first), (10_000, third))
    }
    answer = upload.complete(sorted(etags.items()))

    assert answer.status_code == 200
    assert answer.headers["x-goog-hash"] == f"crc32c={crc32c(first + second + third)}"
    found = bucket.get_blob(upload.name)
    assert (found.generation, found.component_count) == (int(answer.headers["x-goog-generation"]), None)
    assert found.download_as_bytes() == first + second + third


def test_settings_come_from_the_start(http, endpoint, bucket):
    headers = {"content-type": "text/x-own", "x-goog-storage-class": "NEARLINE", "x-goog-meta-k": "v"}
    upload = Multipart(http, endpoint, bucket, "object", **headers)
    upload.complete([(1, upload.send(1, b"bytes").headers["etag"])])
    found = bucket.get_blob("object")
    assert (found.content_type, found.storage_class, found.metadata) == ("text/x-own", "NEARLINE", {"k": "v"})


def test_nothing_is_visible_before_the_end(upload, bucket):
    upload.send(1, b"bytes")
    assert bucket.get_blob(upload.name) is None
    assert list(bucket.list_blobs()) == []


def test_a_part_answers_with_its_hashes(upload):
    answer = upload.send(1, b"hello")
    assert answer.headers["etag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert answer.headers["x-goog-hash"] == "crc32c=mnG7TA==, md5=XUFAKrxLKna5cZ2REBfFkg=="


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-goog-hash": "crc32c=AAAAAA=="}, "CrcMismatch"),
        ({"x-goog-hash": "md5=1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest"),
        ({"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest"),
        ({"content-md5": "not base64"}, "InvalidDigest"),
    ],
)
def test_a_part_with_another_hash_is_refused(upload, headers, expected):
    assert code(upload.send(1, b"hello", **headers)) == (400, expected)
    assert upload.list_parts().findall("Part", NAMESPACE) == []


def test_right_hashes_are_accepted(upload):
    md5 = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    assert upload.send(1, b"hello", **{"x-goog-hash": f"crc32c=mnG7TA==,md5={md5}", "content-md5": md5}).ok


@pytest.mark.parametrize("number", [0, 10_001, "first"])
def test_part_numbers_are_1_to_10000(upload, number):
    assert code(upload.send(number, b"bytes")) == (400, "InvalidArgument")


def test_only_the_last_part_may_be_small(upload, bucket):
    etags = [(number, upload.send(number, b"small").headers["etag"]) for number in (1, 2)]
    assert code(upload.complete(etags)) == (400, "EntityTooSmall")
    assert bucket.get_blob(upload.name) is None
    assert upload.complete(etags[:1]).ok


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (lambda etags: [(1, etags[1]), (3, etags[2])], "InvalidPart"),
        (lambda etags: [(1, etags[1]), (2, '"5d41402abc4b2a76b9719d911017c592"')], "InvalidPart"),
        (lambda etags: [(2, etags[2]), (1, etags[1])], "InvalidPartOrder"),
        (lambda etags: [(1, etags[1]), (1, etags[1])], "InvalidPartOrder"),
        (lambda etags: [], "MalformedXML"),
        (lambda etags: [("one", etags[1])], "MalformedXML"),
    ],
    ids=["never sent", "other bytes", "wrong order", "twice", "none", "no number"],
)
def test_lists_of_parts_that_are_refused(upload, bucket, parts, expected):
    etags = {1: upload.send(1, bytes(SMALLEST)).headers["etag"], 2: upload.send(2, b"end").headers["etag"]}
    assert code(upload.complete(parts(etags))) == (400, expected)
    assert bucket.get_blob(upload.name) is None
    assert upload.complete(sorted(etags.items())).ok


def test_etags_may_come_without_quotes(upload, bucket):
    upload.complete([(1, upload.send(1, b"bytes").headers["etag"].strip('"'))])
    assert bucket.blob(upload.name).download_as_bytes() == b"bytes"


def test_a_part_sent_again_replaces_the_first(upload, bucket):
    upload.send(1, b"first")
    upload.complete([(1, upload.send(1, b"second").headers["etag"])])
    assert bucket.blob(upload.name).download_as_bytes() == b"second"


def test_parts_that_are_not_listed_are_dropped(upload, bucket):
    upload.send(1, b"dropped")
    upload.complete([(2, upload.send(2, b"kept").headers["etag"])])
    assert bucket.blob(upload.name).download_as_bytes() == b"kept"


def test_lists_of_parts_come_in_pages(upload):
    for number in (5, 1, 3):
        upload.send(number, str(number).encode())
    first = upload.list_parts(**{"max-parts": 2})
    assert [part.text for part in first.findall("Part/PartNumber", NAMESPACE)] == ["1", "3"]
    assert first.findtext("IsTruncated", namespaces=NAMESPACE) == "true"
    marker = first.findtext("NextPartNumberMarker", namespaces=NAMESPACE)
    rest = upload.list_parts(**{"part-number-marker": marker})
    assert rest.findtext("IsTruncated", namespaces=NAMESPACE) == "false"
    part = rest.find("Part", NAMESPACE)
    etag = f'"{hashlib.md5(b"5").hexdigest()}"'
    shown = {name: part.findtext(name, namespaces=NAMESPACE) for name in ("PartNumber", "ETag", "Size")}
    assert shown == {"PartNumber": "5", "ETag": etag, "Size": "1"}


def test_lists_of_uploads_come_in_pages(http, endpoint, bucket):
    uploads = [Multipart(http, endpoint, bucket, name) for name in ("b", "a", "c", "b")]
    expected = sorted((upload.name, upload.id) for upload in uploads)
    found, query = [], {"uploads": "", "max-uploads": 3}
    for _ in range(2):
        page = ElementTree.fromstring(http.get(f"{endpoint}/{bucket.name}", params=query).content)
        for upload in page.findall("Upload", NAMESPACE):
            found.append(tuple(upload.findtext(name, namespaces=NAMESPACE) for name in ("Key", "UploadId")))
        markers = {"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"}
        query |= {name: page.findtext(element, "", NAMESPACE) for name, element in markers.items()}
    assert found == expected


def test_an_aborted_upload_is_gone(upload, bucket):
    etag = upload.send(1, b"bytes").headers["etag"]
    assert upload.abort().status_code == 204
    for answer in (upload.send(2, b"late"), upload.complete([(1, etag)]), upload.list_parts(), upload.abort()):
        assert code(answer) == (404, "NoSuchUpload")
    assert bucket.get_blob(upload.name) is None


def test_a_completed_upload_is_gone(upload):
    etag = upload.send(1, b"bytes").headers["etag"]
    assert upload.complete([(1, etag)]).ok
    assert code(upload.complete([(1, etag)])) == (404, "NoSuchUpload")


def test_an_upload_belongs_to_its_object(http, endpoint, bucket, upload):
    answer = http.put(f"{endpoint}/{bucket.name}/other", params={"partNumber": 1, "uploadId": upload.id}, data=b"x")
    assert code(answer) == (404, "NoSuchUpload")


def test_missing_buckets_and_objects_in_xml(http, endpoint, bucket):
    assert code(http.post(f"{endpoint}/missing/object", params={"uploads": ""})) == (404, "NoSuchBucket")
    assert code(http.get(f"{endpoint}/{bucket.name}/missing")) == (404, "NoSuchKey")
    assert code(http.get(f"{endpoint}/{bucket.name}")) == (501, "NotImplemented")


def test_an_unfinished_upload_does_not_hold_its_bucket(upload, bucket, client):
    upload.send(1, b"bytes")
    bucket.delete()
    client.create_bucket(bucket.name)
    assert code(upload.send(1, b"bytes")) == (404, "NoSuchUpload")


def test_whole_objects_in_the_xml_api(http, endpoint, bucket):
    url = f"{endpoint}/{bucket.name}/object"
    assert code(http.put(url, data=b"hello", headers={"x-goog-hash": "crc32c=AAAAAA=="})) == (400, "CrcMismatch")
    headers = {"content-type": "text/x-own", "x-goog-meta-k": "v", "x-goog-if-generation-match": "0"}
    assert http.put(url, data=b"hello", headers=headers).headers["etag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert code(http.put(url, data=b"again", headers=headers)) == (412, "PreconditionFailed")
    head = http.head(url)
    assert (head.headers["content-length"], head.headers["x-goog-meta-k"], head.content) == ("5", "v", b"")
    assert code(http.delete(url, headers={"x-goog-if-generation-match": "1"})) == (412, "PreconditionFailed")
    assert http.delete(url).status_code == 204


def test_every_request_with_a_part_is_on_record(http, endpoint, bucket, storage_data_dir):
    name = "folder/with space"
    upload = Multipart(http, endpoint, bucket, name)
    etags = [upload.send(number, data).headers["etag"] for number, data in ((2, b"end"), (1, bytes(SMALLEST)))]
    assert upload.send(2, b"END", **{"x-goog-hash": "crc32c=AAAAAA=="}).status_code == 400
    half_sent(endpoint, f"/{bucket.name}/folder/with%20space?partNumber=3&uploadId={upload.id}", bytes(100_000))
    # The server notices after a while that the client has disconnected.
    until_recorded(storage_data_dir, bucket.name, name, 4)
    assert upload.complete([(1, etags[1]), (2, etags[0])]).ok
    another = Multipart(http, endpoint, bucket, name)
    another.send(1, b"given up")
    another.abort()
    recorded = part_requests(storage_data_dir, bucket.name, name)
    *answered, broken = [(part.number, part.size, part.stored) for part in recorded if part.upload_id == upload.id]
    assert answered == [(2, 3, True), (1, SMALLEST, True), (2, 3, False)]
    assert (broken[0], broken[1] <= 50_000, broken[2]) == (3, True, False)
    assert [(part.number, part.size, part.stored) for part in recorded if part.upload_id == another.id] == [
        (1, 8, True)
    ]
    assert all(part.began <= part.ended for part in recorded)
    assert part_requests(storage_data_dir, bucket.name, "another") == []


def half_sent(endpoint, target, data):
    """Sends half of a part, and disconnects."""
    host, port = endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        connection.sendall(head.encode() + data[: len(data) // 2])


def until_recorded(data_dir, bucket, name, count):
    wait_until(lambda: len(part_requests(data_dir, bucket, name)) >= count)
