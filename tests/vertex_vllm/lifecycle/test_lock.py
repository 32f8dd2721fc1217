"""Only one run of a deployment at a time, however the run with the lock ends."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import storage

from tests.localcloud.services.pipelines import samples
from tests.localcloud.services.pipelines.compiling import compiled_with_init
from tests.prepared import PINNED_IMAGE, runner, with_runner
from tests.vertex_vllm.conftest import LocalCloud
from tests.vertex_vllm.served_models import REGION
from vertex_vllm.errors import BucketError, LockedError
from vertex_vllm.lifecycle.lock import acquire, lock_name, release
from vertex_vllm.lifecycle.run_end import end_run
from vertex_vllm.lifecycle.weights_in_use import InUse, look
from vertex_vllm.runs.submission import Submission, run_labels
from vertex_vllm.runs.vertex_engine import VertexEngine, pipeline_client

pytestmark = pytest.mark.usefixtures("working")

DEPLOYMENT = "llama"


class Project:
    """Runs that stay active until they are cancelled, and the bucket with their lock."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.bucket = storage.Client(project=name).create_bucket(f"{name}-weights", location=REGION)
        with_runner(name, self.bucket.name)
        self.spec = folder / "spec.yaml"
        self.spec.write_text(yaml.safe_dump(compiled_with_init(samples.waiting)))
        self.runs: list[str] = []

    def start(self, run_id: str) -> str:
        """Resource name of an active run."""
        parameters = {"path": str(self.folder / run_id), "status_path": str(self.folder / f"{run_id}-status")}
        root, labels = f"gs://{self.bucket.name}/runs", run_labels("deploy", DEPLOYMENT)
        account = runner(self.name)
        name = VertexEngine().submit(
            Submission(self.name, REGION, self.spec, run_id, parameters, root, labels, account, PINNED_IMAGE)
        )
        self.runs.append(name)
        return name

    def end(self, run: str) -> None:
        self.runs.remove(run)
        VertexEngine().cancel(run)
        VertexEngine().watch(run, lambda run: None)

    def acquire(self, run: str, **options: Any) -> None:
        acquire(self.name, self.bucket.name, DEPLOYMENT, run, **{"patience_seconds": 0, **options})

    @property
    def holder(self) -> str:
        blob = self.bucket.get_blob(lock_name(DEPLOYMENT))
        return str(json.loads(blob.download_as_bytes())["run"]) if blob else ""


@pytest.fixture
def in_project(cloud: Any, project: str, tmp_path: Path) -> Iterator[Project]:
    place = Project(project, tmp_path)
    yield place
    for run in list(place.runs):
        place.end(run)


def test_a_run_that_has_the_lock_keeps_the_next_one_out_until_it_gives_it_back(in_project: Project) -> None:
    first, second = in_project.start("run-1"), in_project.start("run-2")
    in_project.acquire(first)
    in_project.acquire(first)  # a step that is tried again
    with pytest.raises(LockedError) as raised:
        in_project.acquire(second)
    assert raised.value.message.startswith("run run-1 has been working on deployment llama since 20")
    assert "vertex-vllm runs cancel run-1" in raised.value.fix
    assert not release(in_project.name, in_project.bucket.name, DEPLOYMENT, "run-2")
    assert release(in_project.name, in_project.bucket.name, DEPLOYMENT, "run-1")
    in_project.acquire(second)
    assert in_project.holder == second


def test_who_waits_gets_the_lock_when_the_other_run_has_ended(in_project: Project) -> None:
    first, second = in_project.start("run-1"), in_project.start("run-2")
    in_project.acquire(first)
    in_project.acquire(second, patience_seconds=60, pause=lambda seconds: in_project.end(first))
    assert in_project.holder == second


def test_a_run_that_was_deleted_holds_nothing(in_project: Project) -> None:
    first, second = in_project.start("run-1"), in_project.start("run-2")
    in_project.acquire(first)
    in_project.end(first)
    pipeline_client(REGION).delete_pipeline_job(name=first).result()
    in_project.acquire(second)
    assert in_project.holder == second


def test_of_two_runs_at_the_same_moment_one_gets_it(in_project: Project) -> None:
    runs = [in_project.start(f"run-{number}") for number in range(3)]

    def outcome(run: str) -> str:
        try:
            in_project.acquire(run)
        except LockedError:
            return "locked"
        return run

    with ThreadPoolExecutor(3) as pool:
        outcomes = sorted(pool.map(outcome, runs))
    assert outcomes[:2] == ["locked", "locked"]
    assert in_project.holder == outcomes[2]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_holder_of_which_nobody_can_tell_has_its_time(in_project: Project, local: LocalCloud, hours: int) -> None:
    first, second = in_project.start("run-1"), in_project.start("run-2")
    local.deny("aiplatform.pipelineJobs.get", first)
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    holder = {"run": first, "since": "2026-11-25T12:00:00+00:00", "until": until}
    in_project.bucket.blob(lock_name(DEPLOYMENT)).upload_from_string(json.dumps(holder))
    try:
        if hours > 0:
            with pytest.raises(LockedError, match="run-1"):
                in_project.acquire(second)
        else:
            in_project.acquire(second)
    finally:
        local.put("denials", permission="aiplatform.pipelineJobs.get", resource=first, denied=False)


ELSEWHERE = b'{"run": "projects/p/locations/localhost:1#/pipelineJobs/x", "since": "", "until": "2999-01-01T00:00:00Z"}'


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"run": "x"}', b"\xff", b'{"run": "x", "since": 1, "until": 2}', ELSEWHERE]
)
def test_what_nobody_of_ours_wrote_locks_nothing(in_project: Project, content: bytes) -> None:
    in_project.bucket.blob(lock_name(DEPLOYMENT)).upload_from_string(content)
    run = f"projects/{in_project.name}/locations/{REGION}/pipelineJobs/run-1"
    in_project.acquire(run)
    assert in_project.holder == run


def test_the_end_of_a_run_gives_the_lock_back_whatever_it_ends_with(in_project: Project) -> None:
    run = in_project.start("run-1")
    for stays in (True, False):
        in_project.acquire(run)
        end_run(in_project.name, REGION, in_project.bucket.name, DEPLOYMENT, "run-1", stays=stays)
        assert in_project.holder == ""


def test_a_run_that_never_got_a_bucket_ends_well(cloud: Any, project: str) -> None:
    end_run(project, REGION, f"{project}-nothing", DEPLOYMENT, "run-1", stays=False)


def test_a_bucket_that_is_not_there_is_said(in_project: Project) -> None:
    with pytest.raises(BucketError, match="no-such-bucket"):
        acquire(
            in_project.name, f"{in_project.name}-no-such-bucket", DEPLOYMENT, "projects/p/locations/r/pipelineJobs/1"
        )


def test_weights_that_a_run_under_way_names_are_in_use(in_project: Project) -> None:
    bucket, place = in_project.bucket, f"{in_project.folder.name}/run-1"

    def used() -> InUse:
        return look(in_project.name, bucket, [REGION])

    run = in_project.start("run-1")  # Its parameter is the path of a file, which ends so.
    assert used().why(bucket.name, place) == "a Model or a run names it"
    in_project.acquire(run)
    assert used().locked
    in_project.end(run)
    assert not used().locked, "its run has ended"
    assert used().why(bucket.name, place) == ""
