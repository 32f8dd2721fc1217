import uuid
from collections.abc import Iterator

import pytest
import requests
from google.cloud import storage

from localcloud.daemon import Connection


@pytest.fixture(scope="module")
def bucket(cloud: Connection) -> storage.Bucket:
    return storage.Client().create_bucket(f"faults-{uuid.uuid4().hex[:12]}", location="us-central1")


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    """One try a request, and nothing but what is asked for."""
    with requests.Session() as session:
        yield session
