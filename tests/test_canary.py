"""The search for a token finds it in every place and encoding: scans of other tests rely on it."""

import base64
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from tests.canary import CHUNK, files_holding, new_canary, watched_processes

SECRET = new_canary()


def basic(user: str) -> bytes:
    return b"authorization: Basic " + base64.b64encode(f"{user}:{SECRET}\n".encode())


@pytest.mark.parametrize(
    "content",
    [
        SECRET.encode(),
        b"x" * (CHUNK - 5) + SECRET.encode() + b"x" * CHUNK,
        basic("u"),
        basic("us"),
        basic("use"),
        base64.urlsafe_b64encode(b"\xff\xfe" + SECRET.encode()),
        gzip.compress(b"x" * CHUNK + SECRET.encode()),
        b"\x1f\x8b which is no gzip, " + SECRET.encode(),
    ],
    ids=["plain", "across chunks", "basic 1", "basic 2", "basic 3", "url-safe", "gzip", "like gzip"],
)
def test_a_secret_is_found_in_whatever_form_a_file_holds_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(content)
    assert "deep/file" in files_holding(SECRET, tmp_path)


def test_a_secret_is_found_in_a_name_and_not_where_it_is_not(tmp_path: Path) -> None:
    (tmp_path / SECRET).mkdir()
    (tmp_path / "other").write_text(new_canary())
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"x" * CHUNK)[:-9])
    assert files_holding(SECRET, tmp_path) == [SECRET]


def test_a_secret_is_found_in_what_a_process_was_started_with() -> None:
    with watched_processes() as seen:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.3)", SECRET], check=True)
    assert [line.split()[-1] for line in seen.holding(SECRET)] == [SECRET]
    assert seen.holding(new_canary()) == []
