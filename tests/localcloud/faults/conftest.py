import uuid
from collections.abc import Iterator

import pytest
import requests
from google.cloud import storage

from localcloud.core.callers import OWNER
from localcloud.daemon import Connection


@pytest.fixture(scope="module")
def bucket(cloud: Connection) -> storage.Bucket:
    return storage.Client().create_bucket(f"faults-{uuid.uuid4().hex[:12]}", location="us-central1")


@pytest.fixture(scope="module")
def http(cloud: Connection) -> Iterator[requests.Session]:
    """A session without retries, with the credential of the owner of all projects."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {cloud.access_token(OWNER)}"
        yield session
