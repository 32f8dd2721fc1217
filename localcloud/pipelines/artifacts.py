"""What tasks produce, brought to Cloud Storage under the pipeline's root, where Vertex AI would have written it."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.cloud import storage
from kfp import dsl

from localcloud.pipelines.job import ArtifactRecord, Job, TaskPath, Values, task_id
from localcloud.pipelines.kfp_local import artifacts_in


class Artifacts:
    """Uploads the artifacts of one run, and remembers them by the local paths that its tasks hand on."""

    def __init__(self, job: Job, outputs: Path) -> None:
        self._job = job
        self._outputs = outputs
        self._client = storage.Client(project=job.project)
        self._lock = threading.Lock()
        self._records: dict[tuple[str, str], ArtifactRecord] = {}

    def publish(self, path: TaskPath, directory: Path, outputs: Mapping[str, Any]) -> Values:
        """Uploads what the task at `path` produced. `directory`: the one that it was given for that.

        Raises google.api_core.exceptions.GoogleAPIError when the bucket does not take it.
        """
        published = {}
        for key, value in outputs.items():
            if found := artifacts_in(value):
                published[key] = tuple(
                    self._publish_one((*path, key, str(index)), artifact, directory)
                    for index, artifact in enumerate(found)
                )
        return Values(parameters=_parameters(outputs), artifacts=published)

    def records(self, values: Mapping[str, Any]) -> Values:
        """`values`, which are the inputs of a task or the outputs of a group, as clients of the job see them."""
        artifacts = {key: found for key, value in values.items() if (found := artifacts_in(value))}
        with self._lock:
            return Values(
                parameters=_parameters(values),
                artifacts={
                    key: tuple(self._records[artifact.uri, artifact.name] for artifact in found)
                    for key, found in artifacts.items()
                },
            )

    def _publish_one(self, identity: TaskPath, artifact: dsl.Artifact, directory: Path) -> ArtifactRecord:
        uri = artifact.uri
        if Path(uri).is_relative_to(self._outputs):
            uri = f"{self._task_folder(identity[:-2])}/{_relative(Path(uri), directory)}"
            self._upload(Path(artifact.uri), uri)
        metadata_store = f"{self._job.name.rsplit('/', 2)[0]}/metadataStores/default"
        record = ArtifactRecord(
            name=f"{metadata_store}/artifacts/{task_id(self._job.uid, identity)}",
            uri=uri,
            schema_title=artifact.schema_title,
            schema_version=artifact.schema_version,
            metadata=artifact.metadata,
        )
        with self._lock:
            self._records[artifact.uri, artifact.name] = record
        return record

    def _task_folder(self, path: TaskPath) -> str:
        job = self._job
        return f"{job.pipeline_root}/{job.project_number}/{job.job_id}/{path[-1]}_{task_id(job.uid, path)}"

    def _upload(self, source: Path, uri: str) -> None:
        bucket_name, _, prefix = uri.removeprefix("gs://").partition("/")
        bucket = self._client.bucket(bucket_name)
        for file in _files(source):
            name = prefix if file == source else f"{prefix}/{file.relative_to(source).as_posix()}"
            bucket.blob(name).upload_from_filename(str(file))


def _parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and not artifacts_in(value)}


def _relative(path: Path, directory: Path) -> str:
    """Without the first part, which kfp.local names after the component: `print-text/report/x` → `report/x`."""
    parts = path.relative_to(directory).parts
    return "/".join(parts[1:] or parts)


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
    elif source.is_dir():
        yield from sorted(path for path in source.rglob("*") if path.is_file())
