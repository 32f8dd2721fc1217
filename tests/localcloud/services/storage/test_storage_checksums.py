import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.services.storage.checksums import (
    DeclaredChecksums,
    Digest,
    combine_crc32c,
    declared_in_headers,
    decode_crc32c,
    encode_crc32c,
)
from localcloud.services.storage.storage_errors import StorageError


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_the_crc32c_of_two_runs_of_bytes_follows_from_theirs(first, second):
    combined = combine_crc32c(google_crc32c.value(first), google_crc32c.value(second), len(second))
    assert combined == google_crc32c.value(first + second)


def test_combining_works_for_lengths_of_real_parts():
    first, second = b"a" * 70_000, b"b" * 5_000_011
    combined = combine_crc32c(google_crc32c.value(first), google_crc32c.value(second), len(second))
    assert combined == google_crc32c.value(first + second)


@given(st.lists(st.binary(max_size=50)))
def test_a_digest_does_not_depend_on_how_the_bytes_are_cut(chunks):
    whole, cut = Digest(), Digest()
    whole.update(b"".join(chunks))
    for chunk in chunks:
        cut.update(chunk)
    assert (cut.crc32c, cut.md5, cut.size) == (whole.crc32c, whole.md5, whole.size)


@given(st.integers(0, 2**32 - 1))
def test_crc32c_in_base64(crc32c):
    assert decode_crc32c(encode_crc32c(crc32c)) == crc32c


def test_hash_headers():
    headers = {"x-goog-hash": "crc32c=mnG7TA==, md5=XUFAKrxLKna5cZ2REBfFkg=="}
    md5 = bytes.fromhex("5d41402abc4b2a76b9719d911017c592")
    assert declared_in_headers(headers) == DeclaredChecksums(0x9A71BB4C, md5)
    assert declared_in_headers({"content-md5": "XUFAKrxLKna5cZ2REBfFkg=="}) == DeclaredChecksums(None, md5)
    assert declared_in_headers({}) == DeclaredChecksums()


@pytest.mark.parametrize("header", ["crc32c=AAAA", "crc32c=not base64", "md5=AAAAAA==", "sha256=AAAA"])
def test_headers_that_are_no_hashes(header):
    with pytest.raises(StorageError) as refusal:
        declared_in_headers({"x-goog-hash": header})
    assert (refusal.value.status, refusal.value.code) == (400, "InvalidDigest")
