"""Weights in use stay: the use is checked when garbage is listed, and again before each deletion."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from google.cloud import aiplatform
from kfp import dsl

from tests.accounts import classic_project
from tests.localcloud.services.pipelines.compiling import compiled_with_init
from tests.vertex_vllm.mirror.conftest import MANIFEST, SMALL_STEPS, SharedModel
from tests.vertex_vllm.mirror.test_mirror_command import upload_model_serving_from
from tests.waiting import wait_until
from vertex_vllm.lifecycle.mirror_garbage import Garbage, find_garbage, remove_garbage
from vertex_vllm.mirror import mirror_weights

REGIONS = ("us-central1", "europe-west4")
AT_ONCE = timedelta(0)


@pytest.fixture
def place(shared_model: SharedModel, project: str) -> str:
    """A mirror that nothing serves from."""
    made = shared_model.place()
    mirror(shared_model, made, project)
    return made


def mirror(model: SharedModel, place: str, project: str) -> None:
    mirror_weights(model.id, model.commit, None, place, project, transfer=SMALL_STEPS)


def found(model: SharedModel, project: str) -> tuple[Garbage, ...]:
    return find_garbage(project, model.bucket, REGIONS, AT_ONCE)


def remove(model: SharedModel, project: str, garbage: tuple[Garbage, ...]) -> tuple[str, ...]:
    return tuple(one.uri for one in remove_garbage(project, model.bucket, garbage, REGIONS))


def write_lock(model: SharedModel, **fields: str) -> None:
    blob = model.client.bucket(model.bucket).blob("locks/some-deployment.json")
    blob.upload_from_string(json.dumps(fields))


def test_a_run_that_finds_a_mirror_whole_keeps_it(
    shared_model: SharedModel, project: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    garbage = found(shared_model, project)
    assert [one.uri for one in garbage] == [place]
    mirror(shared_model, place, project)
    assert remove(shared_model, project, garbage) == ()
    assert f"{place} stays: a run has used it meanwhile" in caplog.text
    shared_model.assert_published(place)
    assert remove(shared_model, project, found(shared_model, project)) == (place,)
    assert shared_model.objects(place) == {}


def test_a_model_that_comes_meanwhile_keeps_it(shared_model: SharedModel, project: str, place: str) -> None:
    garbage = found(shared_model, project)
    upload_model_serving_from(project, place)
    assert remove(shared_model, project, garbage) == ()
    shared_model.assert_published(place)
    assert found(shared_model, project) == ()


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def wait(model_id: str, bucket: str) -> None:
    import signal

    signal.pause()


@dsl.pipeline(name="mirrors")
def mirrors(model_id: str, bucket: str = "") -> None:
    wait(model_id=model_id, bucket=bucket)


def test_an_active_run_keeps_the_mirrors_of_its_model(
    shared_model: SharedModel, project: str, place: str, tmp_path: Path
) -> None:
    classic_project(project)
    spec = tmp_path / "mirrors.yaml"
    spec.write_text(yaml.safe_dump(compiled_with_init(mirrors)))
    job = aiplatform.PipelineJob(
        display_name="mirrors",
        template_path=str(spec),
        pipeline_root=f"gs://{shared_model.bucket}/runs",
        parameter_values={"model_id": shared_model.id, "bucket": shared_model.bucket},
        project=project,
        location=REGIONS[0],
    )
    job.submit()
    try:
        assert found(shared_model, project) == ()
    finally:
        job.cancel()
        wait_until(job.done)
    assert [one.uri for one in found(shared_model, project)] == [place]


def test_a_manifest_becomes_young_when_a_run_finds_it(shared_model: SharedModel, project: str, place: str) -> None:
    blob = shared_model.client.bucket(shared_model.bucket).get_blob(f"{place.split('/', 3)[3]}/{MANIFEST}")
    assert blob is not None
    before = blob.updated
    mirror(shared_model, place, project)
    blob.reload()
    assert blob.updated > before


def test_what_is_written_again_meanwhile_is_not_deleted(shared_model: SharedModel, project: str, place: str) -> None:
    garbage = found(shared_model, project)
    blob = shared_model.client.bucket(shared_model.bucket).blob(f"{place.split('/', 3)[3]}/{MANIFEST}")
    blob.upload_from_string(blob.download_as_bytes())
    assert remove(shared_model, project, garbage) == ()
    shared_model.assert_published(place)


def test_a_fresh_lock_keeps_the_bucket(shared_model: SharedModel, project: str, place: str) -> None:
    locks = (
        (1, "projects/p/locations/us-central1/pipelineJobs/x", True),
        (-1, "projects/p/pipelineJobs/x", False),
    )
    for hours, run, kept in locks:
        until = datetime.now(UTC) + timedelta(hours=hours)
        write_lock(shared_model, run=run, since="", until=until.isoformat())
        assert [one.uri for one in found(shared_model, project)] == ([] if kept else [place]), run


def test_what_is_no_lock_keeps_nothing(shared_model: SharedModel, project: str, place: str) -> None:
    blob = shared_model.client.bucket(shared_model.bucket).blob("locks/x.json")
    for text in ("not JSON", "[]", '{"until": "soon"}', "{}", "[" * 100_000):
        blob.upload_from_string(text)
        assert [one.uri for one in found(shared_model, project)] == [place], text[:20]
