"""Cloud Storage as a folder, as Vertex AI mounts it at /gcs: `BUCKET/OBJECT` below a folder of the run.

An object is copied into the folder when a component first asks for its path. Files that a component wrote are uploaded
when its task has succeeded. `python -m localcloud.services.pipelines.mounted_objects ROOT URI all|entry` copies one.
"""

import hashlib
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SCHEME = "gs://"


class Mount:
    """One run's folder of objects. The client of google.cloud.storage is made at its first use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._fetched = root.with_name(f"{root.name}-fetched")
        self._client: Any = None

    def path(self, uri: str) -> Path:
        """The local path of a `gs://` URI."""
        return self.root / uri.removeprefix(_SCHEME)

    def fetch(self, uri: str, below: bool = True) -> Path:
        """Copies the object at `uri`, or all objects below it, to the local path. Copies nothing if neither exists.

        Without `below`, an empty folder stands for the objects below `uri`.

        A file that already exists is kept if it has the object's content, or if a component has changed it. Returns the
        local path, whose parent folder exists. Raises google.api_core.exceptions.GoogleAPIError.
        """
        path = self.path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        bucket, _, name = uri.removeprefix(_SCHEME).partition("/")
        for blob in _found(self.client(), bucket, name.rstrip("/")):
            if not below and blob.name != name:
                path.mkdir(exist_ok=True)
                break
            file = self.root / bucket / blob.name
            if not file.exists() or self._fetched_generation(file) not in (None, str(blob.generation)):
                self._copy(blob, file)
        return path

    def upload(self, uri: str, source: Path) -> None:
        """Uploads every file at or below `source` that a component wrote to `uri`.

        Raises google.api_core.exceptions.GoogleAPIError when the bucket does not take one.
        """
        bucket, _, prefix = uri.removeprefix(_SCHEME).rstrip("/").partition("/")
        for file in _files(source):
            if self._fetched_generation(file) is not None:
                continue
            name = prefix if file == source else f"{prefix}/{file.relative_to(source).as_posix()}"
            self._send(file, bucket, name)

    def upload_changed(self, apart_from: Path) -> None:
        """Uploads every other file that a component wrote by its path, except files below `apart_from`.

        Raises google.api_core.exceptions.GoogleAPIError when the bucket does not take one.
        """
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if Path(folder, name) != apart_from]
            for file in (Path(folder, name) for name in files):
                if self._fetched_generation(file) is None:
                    bucket, _, name = file.relative_to(self.root).as_posix().partition("/")
                    self._send(file, bucket, name)

    def _send(self, file: Path, bucket: str, name: str) -> None:
        blob = self.client().bucket(bucket).blob(name)
        blob.upload_from_filename(str(file))
        self._note(file, blob, file.stat().st_mtime_ns)

    def client(self) -> Any:
        if self._client is None:
            from google.cloud import storage

            self._client = storage.Client()
        return self._client

    def _copy(self, blob: Any, path: Path) -> None:
        """Replaces the file at once: tasks of one run may ask for the same object at the same time."""
        if blob.name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fetched.mkdir(exist_ok=True)
        arriving = self._fetched / uuid.uuid4().hex
        blob.download_to_filename(str(arriving))
        self._note(path, blob, arriving.stat().st_mtime_ns)
        arriving.replace(path)

    def _note(self, path: Path, blob: Any, modified: int) -> None:
        self._fetched.mkdir(exist_ok=True)
        self._record(path).write_text(f"{modified} {blob.generation}")

    def _fetched_generation(self, path: Path) -> str | None:
        """The generation of the object whose content the file has; None if a component has written the file since."""
        record = self._record(path)
        if not record.exists():
            return None
        modified, generation = record.read_text().split()
        return generation if modified == str(path.stat().st_mtime_ns) else None

    def _record(self, path: Path) -> Path:
        return self._fetched / hashlib.sha256(os.fsencode(path)).hexdigest()


def _found(client: Any, bucket: str, name: str) -> Iterator[Any]:
    """The objects at or below `name`; none in a missing bucket, so that opening a path fails with ENOENT."""
    from google.api_core.exceptions import NotFound

    try:
        yield from _blobs(client, bucket, name)
    except NotFound:
        return


def _blobs(client: Any, bucket: str, name: str) -> Iterator[Any]:
    """The object `name`, or else the objects below it, as a mounted bucket shows them."""
    exact = client.bucket(bucket).get_blob(name) if name else None
    if exact is not None:
        yield exact
        return
    yield from client.list_blobs(bucket, prefix=f"{name}/" if name else "")


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
    elif source.is_dir():
        yield from sorted(path for path in source.rglob("*") if path.is_file())


def main() -> int:
    from google.api_core.exceptions import GoogleAPIError

    root, uri, what = sys.argv[1:]
    try:
        Mount(Path(root)).fetch(uri, below=what == "all")
    except GoogleAPIError as error:
        print(f"{uri} cannot be read: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
