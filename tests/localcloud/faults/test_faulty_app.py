"""Faults around a single application, without the rest of the local cloud."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from localcloud.faults import Faults
from localcloud.faults.http_faults import FaultyApp
from localcloud.services.storage import create_app
from tests.localcloud.conftest import Serve


class SeededIds:
    def __init__(self) -> None:
        self._random = random.Random(0)

    def hex(self, length: int = 32) -> str:
        return f"{self._random.getrandbits(4 * length):0{length}x}"


def test_storage_alone_carries_faults(serve: Serve, tmp_path: Path) -> None:
    faults = Faults()
    app = create_app(tmp_path, project_number=len, clock=lambda: datetime.now(UTC), ids=SeededIds())
    with serve(FaultyApp(app, faults, "storage")) as url, requests.Session() as session:
        session.trust_env = False
        session.post(f"{url}/storage/v1/b", params={"project": "p"}, json={"name": "bucket"}).raise_for_status()
        faults.post({"kind": "error", "service": "storage", "status": 503})
        faults.post({"kind": "lost_answer", "method": "PUT"})
        assert session.put(f"{url}/bucket/a", data=b"x").status_code == 503
        with pytest.raises(requests.ConnectionError):
            session.put(f"{url}/bucket/b", data=b"x")
        listed = session.get(f"{url}/storage/v1/b/bucket/o").json()
    assert [item["name"] for item in listed["items"]] == ["b"]
    assert [fault["struck"] for fault in faults.list()] == [1, 1]
