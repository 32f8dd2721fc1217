"""Received bytes are compared with the Hub's listing, and sent bytes with the object in the bucket."""

import hashlib
import subprocess
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_vllm.hub.file_listing import HubFile
from vertex_vllm.mirror.checksums import Checksums, as_base64, combine_crc32c, extend_crc32c
from vertex_vllm.mirror.sha256 import RunningHash, _Hashlib, sha256

DATA = b"some weights\n" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


def git_oid(data: bytes, folder: Path) -> str:
    (folder / "blob").write_bytes(data)
    done = subprocess.run(["git", "hash-object", "blob"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_file_in_git_is_checked_against_what_git_calls_it(tmp_path: Path) -> None:
    oid = git_oid(DATA, tmp_path)
    file = HubFile("config.json", len(DATA), "", oid)
    assert Checksums(file, DATA).mismatch() == ""
    assert oid in Checksums(file, b"x" + DATA[1:]).mismatch()


def test_an_lfs_file_is_checked_against_its_sha256() -> None:
    file = HubFile("model.safetensors", len(DATA), SHA256, "b" * 40)
    assert Checksums(file, DATA).mismatch() == ""
    assert SHA256 in Checksums(file, DATA[:-1] + b"x").mismatch()


def test_a_short_file_is_a_mismatch() -> None:
    file = HubFile("model.safetensors", len(DATA), SHA256, "b" * 40)
    assert Checksums(file, DATA[:-1]).mismatch() == "12999 bytes arrived, 13000 are listed"


def test_crc32c_as_cloud_storage_writes_it() -> None:
    # RFC 3720, B.4: 32 bytes of zeroes have the CRC32C 8A9136AA.
    assert as_base64(extend_crc32c(bytes(32))) == "ipE2qg=="
    assert Checksums(HubFile("x", 32, SHA256, "b" * 40), bytes(32)).crc32c == "ipE2qg=="


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_the_crc32c_of_a_file_follows_from_those_of_its_parts(parts: list[bytes]) -> None:
    combined = 0
    for part in parts:
        combined = combine_crc32c(combined, extend_crc32c(part), len(part))
    assert combined == google_crc32c.value(b"".join(parts))


def fed(hashing: RunningHash, data: bytes) -> RunningHash:
    hashing.update(memoryview(bytearray(data)))
    return hashing


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_a_hash_that_was_put_aside_goes_on_where_it_was(first: bytes, second: bytes) -> None:
    before = fed(sha256(), first)
    resumed = fed(sha256(before.state()), second)
    assert resumed.hexdigest() == hashlib.sha256(first + second).hexdigest()
    assert before.hexdigest() == hashlib.sha256(first).hexdigest()


@pytest.mark.parametrize("state", ["x", "little", "little00", "big" + "00" * 112, "little" + "zz" * 112])
def test_a_state_that_cannot_be_taken_up_is_refused(state: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the error of bytes.fromhex is a ValueError, too
        sha256(state)


def test_a_hash_without_libcrypto_is_right_and_has_no_state() -> None:
    hashing = fed(_Hashlib(), DATA)
    assert (hashing.hexdigest(), hashing.state()) == (SHA256, "")
