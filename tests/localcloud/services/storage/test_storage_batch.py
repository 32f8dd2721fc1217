import pytest
from google.api_core.exceptions import NotFound


def test_calls_in_one_request(bucket, client):
    for name in ("one", "two", "three"):
        bucket.blob(name).upload_from_string(name)
    two = bucket.blob("two")
    with client.batch():
        bucket.blob("one").delete()
        two.metadata = {"patched": "in a batch"}
        two.patch()
    assert [blob.name for blob in bucket.list_blobs()] == ["three", "two"]
    assert bucket.get_blob("two").metadata == {"patched": "in a batch"}
    assert two.metageneration == 2


def test_one_refusal_does_not_stop_the_others(bucket, client):
    bucket.blob("one").upload_from_string("bytes")

    def delete_both():
        with client.batch():
            bucket.blob("missing").delete()
            bucket.blob("one").delete()

    with pytest.raises(NotFound):
        delete_both()
    assert list(bucket.list_blobs()) == []


def test_conditions_inside_a_batch(bucket, client):
    blob = bucket.blob("one")
    blob.upload_from_string("bytes")
    with client.batch(raise_exception=False) as batch:
        bucket.blob("one").delete(if_generation_match=1)
        bucket.blob("one").delete(if_generation_match=blob.generation)
    assert [answer.status_code for answer in batch._responses] == [412, 204]


def test_answers_carry_the_calls_identifiers(endpoint, http, bucket):
    part = "--mark\r\nContent-Type: application/http\r\nContent-ID: <call+{0}>\r\n\r\nGET {1} HTTP/1.1\r\n\r\n\r\n"
    calls = part.format(1, f"/storage/v1/b/{bucket.name}") + part.format(2, "/storage/v1/nothing") + "--mark--"
    answer = http.post(
        f"{endpoint}/batch/storage/v1", data=calls, headers={"content-type": "multipart/mixed; boundary=mark"}
    )
    first, second = answer.text.split("--batch_of_responses")[1:3]
    assert "Content-ID: <response-call+1>" in first
    assert "HTTP/1.1 200 OK" in first
    assert f'"name": "{bucket.name}"' in first
    assert "HTTP/1.1 501" in second


def test_what_is_no_batch(endpoint, http):
    answer = http.post(f"{endpoint}/batch/storage/v1", data="{}", headers={"content-type": "application/json"})
    assert answer.status_code == 400
