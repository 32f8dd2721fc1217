import uuid

import pytest
from google.cloud import storage

from vertex_vllm.local.container.fetched_weights import WeightsError, fetch_weights

FILES = {"config.json": b"{}", "model.safetensors": b"\x00" * 3_000_000, "nested/tokenizer.json": b"[]"}


@pytest.fixture
def bucket(cloud, project) -> storage.Bucket:
    return storage.Client(project=project).create_bucket(f"weights-{uuid.uuid4().hex}", location="us-central1")


def _upload(bucket: storage.Bucket, name: str, content: bytes) -> None:
    bucket.blob(name).upload_from_string(content)


def test_everything_under_the_prefix_is_fetched_and_nothing_beside_it(bucket, tmp_path):
    for name, content in FILES.items():
        _upload(bucket, f"models/a/{name}", content)
    _upload(bucket, "models/a-other/config.json", b"not this one")
    _upload(bucket, "models/a/folder/", b"")
    lines: list[str] = []

    fetch_weights(f"gs://{bucket.name}/models/a/", tmp_path, lines.append)

    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == FILES
    assert lines[:3] == [
        "fetched model.safetensors, 3.0 MB",
        "fetched config.json, 0.0 MB",
        "fetched nested/tokenizer.json, 0.0 MB",
    ]
    assert lines[3].startswith(f"gs://{bucket.name}/models/a/: 3 files, 3.0 MB in ")


def test_an_empty_prefix_is_an_error_that_names_it(bucket, tmp_path):
    with pytest.raises(WeightsError, match=f"^There are no objects under gs://{bucket.name}/models/nothing$"):
        fetch_weights(f"gs://{bucket.name}/models/nothing", tmp_path, print)


def test_a_bucket_that_is_not_there_is_told_with_the_services_words(cloud, tmp_path):
    missing = f"missing-{uuid.uuid4().hex}"
    with pytest.raises(WeightsError, match=f"^gs://{missing}/m could not be fetched: 404 .*bucket does not exist"):
        fetch_weights(f"gs://{missing}/m", tmp_path, print)


def test_no_object_is_written_outside_its_folder(bucket, tmp_path):
    _upload(bucket, "m/../../escaped", b"")
    with pytest.raises(WeightsError, match="leads out of its folder"):
        fetch_weights(f"gs://{bucket.name}/m", tmp_path / "weights", print)
    assert not (tmp_path.parent / "escaped").exists()
