import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from storage_server import storage_app

PROJECT = "storage-tests"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def storage_data_dir(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="session")
def endpoint(serve, storage_data_dir) -> Iterator[str]:
    with serve(storage_app(storage_data_dir)) as url:
        yield url


@pytest.fixture(scope="session")
def client(endpoint) -> storage.Client:
    return storage.Client(PROJECT, AnonymousCredentials(), client_options={"api_endpoint": endpoint})


@pytest.fixture
def bucket(client) -> storage.Bucket:
    """A new, empty bucket."""
    return client.create_bucket(f"bucket-{next(_numbers)}", location="europe-west4")


@pytest.fixture(scope="session")
def shared_bucket(client) -> storage.Bucket:
    """A bucket for tests that try many values and clean up after each."""
    return client.create_bucket("shared-bucket", location="us-central1")


@pytest.fixture(scope="session")
def http() -> Iterator[requests.Session]:
    """Raw requests, for those that the client library never sends."""
    with requests.Session() as session:
        session.trust_env = False
        yield session
