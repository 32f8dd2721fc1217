"""Each kind of fault as clients of Cloud Storage see it."""

from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption

from localcloud.core.callers import OWNER
from localcloud.daemon import Connection
from tests.waiting import PATIENCE_SECONDS

CONTENT = bytes(range(256)) * 1024


@pytest.fixture(scope="module")
def blob(bucket: storage.Bucket) -> storage.Blob:
    blob = bucket.blob("folder/whole")
    blob.upload_from_string(CONTENT)
    return blob


@pytest.fixture(params=["own port", "proxy"])
def url(request: pytest.FixtureRequest, cloud: Connection, blob: storage.Blob) -> str:
    """The object in the XML API: straight from the server, and by Google's host."""
    host = (
        cloud.environment["API_ENDPOINT_OVERRIDE"] if request.param == "own port" else "https://storage.googleapis.com"
    )
    return f"{host}/{blob.bucket.name}/{blob.name}"


def struck(cloud: Connection) -> list[int]:
    return [fault["struck"] for fault in cloud.faults()]


def read_all(response: requests.Response, into: bytearray) -> None:
    for part in response.iter_content(1000):
        into += part


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        *((401, "authError"), (403, "forbidden"), (404, "notFound"), (408, "uploadBrokenConnection")),
        *((409, "conflict"), (412, "conditionNotMet"), (429, "rateLimitExceeded")),
        *((500, "internalError"), (503, "backendError")),
    ],
)
def test_the_json_api_refuses_in_its_own_words(
    faulty: Connection, blob: storage.Blob, http: requests.Session, status: int, reason: str
) -> None:
    faulty.add_fault(service="storage", path="/storage/v1/b/*", kind="error", status=status)
    path = f"{faulty.environment['API_ENDPOINT_OVERRIDE']}/storage/v1/b/{blob.bucket.name}"
    refused = http.get(path)
    assert refused.status_code == refused.json()["error"]["code"] == status
    assert refused.json()["error"]["errors"][0]["reason"] == reason
    assert http.get(path).status_code == 200
    assert struck(faulty) == [1]


@pytest.mark.parametrize("status", [502, 504])
def test_some_statuses_come_from_googles_front_end(
    faulty: Connection, blob: storage.Blob, http: requests.Session, status: int
) -> None:
    faulty.add_fault(service="storage", kind="error", status=status)
    refused = http.get(f"{faulty.environment['API_ENDPOINT_OVERRIDE']}/storage/v1/b/{blob.bucket.name}")
    assert (refused.status_code, refused.headers["content-type"]) == (status, "text/html; charset=utf-8")


def test_the_xml_api_refuses_in_xml_and_says_when_to_come_back(
    faulty: Connection, url: str, http: requests.Session
) -> None:
    faulty.add_fault(
        service="storage", kind="error", status=503, retry_after_seconds=7, answer_headers={"x-guploader-uploadid": "u"}
    )
    refused = http.get(url)
    assert refused.status_code == 503
    assert "<Code>ServiceUnavailable</Code>" in refused.text
    assert refused.headers["retry-after"] == "7"
    assert refused.headers["x-guploader-uploadid"] == "u"


def test_googles_client_retries_what_is_transient_and_raises_the_rest(
    faulty: Connection, bucket: storage.Bucket
) -> None:
    faulty.add_fault(service="storage", method="GET", kind="error", status=503, times=2)
    bucket.reload()
    assert struck(faulty) == [2]
    faulty.add_fault(service="storage", method="GET", kind="error", status=403, message="no, because of a fault")
    with pytest.raises(exceptions.Forbidden, match="no, because of a fault"):
        bucket.reload()


def test_a_reset_call_is_not_executed(faulty: Connection, bucket: storage.Bucket, http: requests.Session) -> None:
    faulty.add_fault(service="storage", method="PUT", kind="reset")
    # urllib3 ignores that the connection broke while it was sending, and then reads no answer.
    with pytest.raises(requests.ConnectionError, match=r"reset by peer|without response"):
        http.put(f"{faulty.environment['API_ENDPOINT_OVERRIDE']}/{bucket.name}/reset", data=b"x")
    assert not bucket.blob("reset").exists()


def test_a_reset_goes_through_the_proxy(faulty: Connection, blob: storage.Blob, http: requests.Session) -> None:
    faulty.add_fault(host="storage.googleapis.com", kind="reset")
    # Python's ssl reports a reset as an end.
    with pytest.raises(requests.ConnectionError, match=r"reset by peer|without response"):
        http.get(f"https://storage.googleapis.com/{blob.bucket.name}/{blob.name}")
    assert struck(faulty) == [1]


def test_a_lost_answer_is_executed(faulty: Connection, bucket: storage.Bucket, http: requests.Session) -> None:
    faulty.add_fault(service="storage", method="PUT", kind="lost_answer")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        http.put(f"{faulty.environment['API_ENDPOINT_OVERRIDE']}/{bucket.name}/lost", data=b"there")
    assert bucket.blob("lost").download_as_bytes() == b"there"


def test_a_truncated_body_is_shorter_than_it_says(faulty: Connection, url: str, http: requests.Session) -> None:
    faulty.add_fault(service="storage", kind="truncate", after_bytes=1000)
    response = http.get(url, stream=True)
    assert response.headers["content-length"] == str(len(CONTENT))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=r"IncompleteRead\(1000 bytes read"):
        read_all(response, bytearray())


def test_a_stall_is_silence_in_the_middle(faulty: Connection, url: str, http: requests.Session) -> None:
    faulty.add_fault(service="storage", kind="stall", after_bytes=100_000)
    response = http.get(url, stream=True, timeout=(10, 0.5))
    received = bytearray()
    with pytest.raises(requests.ConnectionError, match="Read timed out"):
        read_all(response, received)
    assert bytes(received) == CONTENT[:100_000]


def test_a_stall_of_some_seconds_ends(faulty: Connection, url: str, http: requests.Session) -> None:
    faulty.add_fault(service="storage", kind="stall", after_bytes=10, seconds=0.2)
    assert http.get(url).content == CONTENT
    assert struck(faulty) == [1]


def test_one_bit_of_one_byte_is_flipped(faulty: Connection, url: str, http: requests.Session) -> None:
    faulty.add_fault(service="storage", kind="flip_byte", offset=200_000)
    content = http.get(url).content
    assert [(at, byte ^ CONTENT[at]) for at, byte in enumerate(content) if byte != CONTENT[at]] == [(200_000, 1)]


def test_googles_client_notices_a_flipped_byte(faulty: Connection, blob: storage.Blob) -> None:
    faulty.add_fault(service="storage", path="/download/*", kind="flip_byte", offset=5)
    with pytest.raises(DataCorruption, match="Checksum mismatch"):
        blob.download_as_bytes()
    assert blob.download_as_bytes() == CONTENT


def test_one_bit_of_what_is_sent_arrives_as_another(faulty: Connection, bucket: storage.Bucket) -> None:
    faulty.add_fault(service="storage", method="PUT", kind="flip_sent_byte", offset=200_000)
    host = faulty.environment["API_ENDPOINT_OVERRIDE"]
    with requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {faulty.access_token(OWNER)}"
        for data in (CONTENT[:200_000], CONTENT):  # too short to be struck
            assert http.put(f"{host}/{bucket.name}/sent", data=data).ok
    arrived = bucket.blob("sent").download_as_bytes()
    assert [(at, byte ^ CONTENT[at]) for at, byte in enumerate(arrived) if byte != CONTENT[at]] == [(200_000, 1)]
    assert struck(faulty) == [1]


@pytest.mark.parametrize(
    ("fields", "said"), [({}, "bytes 101-200/262144"), ({"content_range": "bytes 0-99/*"}, "bytes 0-99/*")]
)
def test_a_content_range_lies(
    faulty: Connection, url: str, http: requests.Session, fields: dict[str, Any], said: str
) -> None:
    faulty.add_fault(service="storage", kind="wrong_content_range", **fields)
    wanted = {"Range": "bytes=100-199"}
    lying = http.get(url, headers=wanted)
    assert (lying.status_code, lying.headers["content-range"]) == (206, said)
    assert lying.content == CONTENT[100:200]
    assert http.get(url, headers=wanted).headers["content-range"] == "bytes 100-199/262144"


def test_a_slow_body_arrives_whole(faulty: Connection, url: str, http: requests.Session) -> None:
    faulty.add_fault(service="storage", kind="slow_body", bytes_per_second=2_000_000)
    response = http.get(url, stream=True)
    parts = list(response.raw.stream(1 << 20, decode_content=False))
    assert b"".join(parts) == CONTENT
    assert struck(faulty) == [1]


def test_a_slow_body_leaves_time_to_look_at_it(faulty: Connection, url: str, http: requests.Session) -> None:
    faulty.add_fault(service="storage", kind="slow_body", bytes_per_second=1)
    response = http.get(url, stream=True, timeout=PATIENCE_SECONDS)
    assert response.raw.read(1) == CONTENT[:1]
    response.close()


def test_latency_holds_the_answer_back(faulty: Connection, url: str, http: requests.Session) -> None:
    faulty.add_fault(service="storage", kind="latency", latency_seconds=30)
    with pytest.raises(requests.Timeout):
        http.get(url, timeout=0.2)
    assert http.get(url, timeout=PATIENCE_SECONDS).content == CONTENT


def test_what_is_too_short_is_not_struck(faulty: Connection, url: str, http: requests.Session) -> None:
    faulty.add_fault(service="storage", kind="truncate", after_bytes=5000)
    assert http.get(url, headers={"Range": "bytes=0-4999"}).content == CONTENT[:5000]
    assert http.head(url).status_code == 200
    assert struck(faulty) == [0]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        http.get(url)
    assert struck(faulty) == [1]


def test_a_part_of_an_upload_and_its_completion_are_met_by_their_parameters(
    faulty: Connection, bucket: storage.Bucket, http: requests.Session
) -> None:
    url = f"{faulty.environment['API_ENDPOINT_OVERRIDE']}/{bucket.name}/parts"
    upload_id = http.post(f"{url}?uploads").text.partition("<UploadId>")[2].partition("<")[0]
    faulty.add_fault(service="storage", query={"partNumber": "2"}, kind="error", status=500)
    faulty.add_fault(service="storage", method="POST", query={"uploadId": "*"}, kind="lost_answer")
    part = f"{url}?partNumber=%d&uploadId={upload_id}"
    assert http.put(part % 1, data=b"x" * (5 << 20)).status_code == 200
    assert http.put(part % 2, data=b"end").status_code == 500
    etags = [
        http.put(part % number, data=data).headers["etag"] for number, data in ((1, b"x" * (5 << 20)), (2, b"end"))
    ]
    listed = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in enumerate(etags, 1))
    with pytest.raises(requests.ConnectionError):
        http.post(f"{url}?uploadId={upload_id}", data=f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>")
    assert bucket.get_blob("parts").size == (5 << 20) + 3
    assert struck(faulty) == [1, 1]
