"""Artifacts that tasks read and write in Cloud Storage, under the pipeline's root, as on Vertex AI."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from localcloud.services.pipelines import step_interpreter
from localcloud.services.pipelines.job import ArtifactRecord, Job, TaskPath, task_id
from localcloud.services.pipelines.mounted_objects import Mount
from localcloud.services.pipelines.run_directory import RunDirectory


class Artifacts:
    """The artifacts of one run. Their addresses are `gs://…`; their content is in a folder that stands for /gcs."""

    def __init__(self, job: Job, directory: RunDirectory) -> None:
        self._job = job
        self._directory = directory
        self._mount = Mount(directory.mounted)

    def variables(self) -> dict[str, str]:
        """Variables that tell a step's Python the folder of its artifacts."""
        return {
            step_interpreter.MOUNT: str(self._directory.mounted),
            step_interpreter.OWN_FOLDER: self._run_folder(),
            step_interpreter.FETCH: str(self._directory.fetch),
        }

    def folder_uri(self, path: TaskPath) -> str:
        """Address of the folder for the outputs of the task at `path`."""
        return f"{self._run_folder()}{path[-1]}_{task_id(self._job.uid, path)}"

    def folder(self, path: TaskPath) -> Path:
        """The same as a local path."""
        return self._mount.path(self.folder_uri(path))

    def name(self, path: TaskPath, output: str) -> str:
        """Resource name of an output artifact of the task at `path`."""
        metadata_store = f"{self._job.name.rsplit('/', 2)[0]}/metadataStores/default"
        return f"{metadata_store}/artifacts/{task_id(self._job.uid, (*path, output, '0'))}"

    def local_path(self, uri: str) -> str:
        """Local path of an artifact's content, for a command; an address outside of Cloud Storage stays as it is.

        Raises google.api_core.exceptions.GoogleAPIError when Cloud Storage refuses.
        """
        if not uri.startswith("gs://"):
            return uri
        if uri.startswith(self._run_folder()):
            self._mount.path(uri).parent.mkdir(parents=True, exist_ok=True)
            return str(self._mount.path(uri))
        return str(self._mount.fetch(uri))

    def publish(self, written: Mapping[str, tuple[ArtifactRecord, str]]) -> dict[str, ArtifactRecord]:
        """Uploads the outputs of a task: each artifact with the path that the task chose for its content, if any.

        Raises google.api_core.exceptions.GoogleAPIError when Cloud Storage refuses.
        """
        for record, chosen in written.values():
            if record.uri.startswith("gs://"):
                content = self._mount.path(record.uri)
                if chosen and Path(chosen).exists() and Path(chosen) != content:
                    _copy(Path(chosen), content)
                self._mount.upload(record.uri, content)
        self._mount.upload_changed(apart_from=self._mount.path(self._run_folder()))
        return {name: record for name, (record, _) in written.items()}

    def _run_folder(self) -> str:
        job = self._job
        return f"{job.pipeline_root}/{job.project_number}/{job.job_id}/"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
