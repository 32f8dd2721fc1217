"""Recordings are scrubbed of secrets, addresses and names of their makers, and a scan finds unscrubbed ones."""

import base64
import json

import pytest

from benchmarks.recordings.record import cleaned
from benchmarks.recordings.scrubbing import Scrubber


@pytest.mark.parametrize(
    "secret",
    [
        "ya29.a0AfH6SMBx-x",
        "hf_abcdefghijklmno",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n",
        "https://cdn.example.com/x?Expires=1&Signature=abcdef0123456789",
        "grace@users.example.org",
        "198.51.100.23",
        "2001:4860:4860:0:0:0:0:8888",
        "0A1B2C-3D4E5F-012345",
    ],
)
def test_secrets_are_found_before_and_gone_after(secret: str) -> None:
    scrubber = Scrubber()
    assert list(scrubber.leaks(json.dumps({"a": secret})))
    assert list(scrubber.leaks(json.dumps(scrubber.clean({"a": f"before {secret} after"})))) == []


def test_generated_ids_become_others_the_same_for_the_same() -> None:
    scrubber = Scrubber()
    ids = ("123456789012345678", "01234567-89ab-cdef-0123-456789abcdef")
    first, again, field = scrubber.clean([f"models/{ids[0]}", ids[0], {"accessToken": "plain", "uuid": ids[1]}])

    assert first == f"models/{again}"
    assert (len(again), again.isdigit(), again != ids[0]) == (18, True, True)
    assert (field["accessToken"], len(field["uuid"]), field["uuid"] != ids[1]) == ("xxx", 36, True)
    assert not list(scrubber.leaks(json.dumps([first, again, field])))
    assert list(scrubber.leaks(ids[0])), "a recording that still held the real one would not be written"


def test_many_ids_become_as_many_others() -> None:
    ids = [str(10**17 + number) for number in range(200)]
    assert len(set(Scrubber().clean(ids))) == 200


def test_a_name_in_bytes_that_are_not_text_is_replaced_and_found() -> None:
    packed = {"base64": base64.b64encode(b"\xff\xfe of secret-project\x00").decode()}
    scrubber = Scrubber({"secret-project": "${projectId}"})
    assert list(scrubber.leaks(json.dumps(packed)))
    clean = scrubber.clean(packed)
    assert base64.b64decode(clean["base64"]) == b"\xff\xfe of ${projectId}\x00"
    assert list(scrubber.leaks(json.dumps(clean))) == []


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ('{"name": "a", "crc32c": "knmhWg=="}', '{"name": "a"}'),
        ('{"md5Hash": "x==", "name": "a"}', '{"name": "a"}'),
        ('{"name": "a"}', '{"name": "a"}'),
    ],
)
def test_an_upload_whose_bytes_change_declares_no_checksum(fields: str, kept: str) -> None:
    exchange = {
        "url": "https://storage.googleapis.com/upload/storage/v1/b/x/o",
        "request_headers": {"x-goog-hash": "crc32c=knmhWg==", "content-type": "text/x"},
        "request_body": f"{fields} of my-own-project",
        "response_body": {"crc32c": "knmhWg=="},
    }
    ignored = {"ignore": ["crc32c", "md5Hash", "size"]}
    changed = {"request_headers": {"content-type": "text/x"}, "request_body": f"{kept} of ${{projectId}}"}
    assert cleaned(exchange, Scrubber({"my-own-project": "${projectId}"})) == {**exchange, **changed, **ignored}
    assert cleaned(exchange, Scrubber()) == exchange
