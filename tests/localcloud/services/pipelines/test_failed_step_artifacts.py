"""Artifacts that a step wrote before it failed."""

from typing import Any

from google.cloud import storage
from kfp import dsl

from tests.localcloud.services.pipelines.finished_jobs import end_of


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def write_and_fail(why: dsl.Output[dsl.Artifact]) -> None:
    with open(why.path, "w") as file:
        file.write("no luck")
    raise RuntimeError("it failed")


@dsl.pipeline(name="failing")
def failing() -> None:
    write_and_fail()


def test_a_file_that_a_failed_step_wrote_is_in_the_bucket(job_of: Any, bucket: str) -> None:
    job = job_of(failing)
    job.submit()
    assert end_of(job).state.name == "PIPELINE_STATE_FAILED"
    written = [blob for blob in storage.Client().list_blobs(bucket) if f"/{job.job_id}/" in f"/{blob.name}"]
    assert {blob.name.rpartition("/")[2]: blob.download_as_text() for blob in written} == {"why": "no luck"}
