"""A local cloud for each process that runs tests, started when one first asks; or a real project (real_cloud.py)."""

import gc
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from localcloud import daemon
from localcloud.daemon import Connection
from tests.prepared import prepared
from tests.real_cloud import REAL
from tests.trust import trust_its_own_authority_alone
from vertex_vllm.google.grpc_engine import keep_engine
from vertex_vllm.local import ADDITIONS

_TEMPORARY = tempfile.TemporaryDirectory(prefix="localcloud-tests-")
_STATE_DIR = Path(_TEMPORARY.name) / "state"

# Until all tests are collected: the collector would walk what is imported again and again, and free none of it.
gc.disable()

# pytest-xdist gives its workers the width of a terminal; commands under test write into a pipe.
os.environ.pop("COLUMNS", None)

# Some clients read their environment when they are imported, which test modules do before any fixture runs.
_ENVIRONMENT = {"GOOGLE_CLOUD_PROJECT": REAL.id} if REAL else daemon.plan(_STATE_DIR)
os.environ.update(_ENVIRONMENT)
# Temporary files of the local cloud and of every process of a test: searched by tests, deleted at the end.
_TEMPORARY_FILES = Path(_TEMPORARY.name) / "tmp"
_TEMPORARY_FILES.mkdir()
os.environ["TMPDIR"] = str(_TEMPORARY_FILES)
# vLLM's threads wait for each other without sleep: more of them than processors are free slow it down many times.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Imported after this module, so that Google's clients find the environment.
pytest_plugins = ("tests.distribution", "tests.durations", "tests.demo_project")

settings.register_profile("dev", max_examples=25, deadline=None)
settings.register_profile("nightly", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def cloud() -> Iterator[Connection]:
    """A local cloud that this process's clients reach: REST and gRPC, by the environment alone."""
    if REAL:
        pytest.skip("on a real project there is no local cloud")
    keep_engine()
    connection = daemon.up(_STATE_DIR, lifeline=True, additions=ADDITIONS)
    assert connection.environment == _ENVIRONMENT, "somebody took a planned port; run the tests again"
    trust_its_own_authority_alone(connection)
    yield connection
    daemon.down(_STATE_DIR)


@pytest.fixture(scope="session")
def temporary_files() -> Path:
    """The temporary folder of all that tests start."""
    return _TEMPORARY_FILES


@pytest.fixture
def faulty(cloud: Connection) -> Iterator[Connection]:
    """The same local cloud, for a test that posts faults: they are cleared before and after it."""
    cloud.clear_faults()
    yield cloud
    cloud.clear_faults()


@pytest.fixture
def project(cloud: Connection) -> str:
    """A project nobody has used."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def ready_project(project: str) -> str:
    """The same project, prepared by bootstrap: a run may be submitted."""
    return prepared(project)


@pytest.fixture
def working(cloud: Connection, project: str) -> str:
    """`project`, with accounts that its jobs and containers run as."""
    from tests.accounts import working_project

    return working_project(project)
