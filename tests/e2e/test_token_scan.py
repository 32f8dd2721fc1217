"""Where the Hub token is after a run that needed it: in the secret, and nowhere else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import secretmanager

from localcloud.daemon import Connection
from tests.e2e.conftest import DemoProject, Served

pytestmark = [pytest.mark.vllm, pytest.mark.parity("local cloud only")]

CHUNK = 1 << 22


def files_with(needle: bytes, folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and holds(needle, path):
            yield path.relative_to(folder).as_posix()


def holds(needle: bytes, path: Path) -> bool:
    with path.open("rb") as file:
        tail = b""
        while chunk := file.read(CHUNK):
            if needle in tail + chunk:
                return True
            tail = chunk[-len(needle) :]
    return False


def test_the_token_is_nowhere_but_in_the_secret_store(
    cloud: Connection, demo_project: DemoProject, served_image: Served
) -> None:
    """Specs, run folders, logs, artifacts and reports in the buckets, requests: all lie in the local cloud's folder."""
    secret = f"projects/{demo_project.id}/secrets/hf-token/versions/latest"
    client = secretmanager.SecretManagerServiceClient()
    assert client.access_secret_version(name=secret).payload.data.decode() == demo_project.token
    found = set(files_with(demo_project.token.encode(), cloud.state_dir))
    assert found
    assert {name for name in found if not name.startswith("secrets")} == set()
