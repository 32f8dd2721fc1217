"""Publishes compiled pipelines where a console, a schedule or CI can submit them."""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_vllm.errors import InputError, ServiceError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.regional_hosts import kfp_registry
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.publishing.image_digest import find_version

if TYPE_CHECKING:
    from requests import Response


@dataclass(frozen=True)
class Destination:
    """The registry and the bucket that specs are published to."""

    project: str
    region: str
    repository: str
    """Id of an Artifact Registry repository of format KFP."""
    bucket: str
    commit: str
    """Of the sources that the specs were compiled from."""
    tags: tuple[str, ...] = ()
    """Moved to the new versions, besides the commit's own."""

    @property
    def host(self) -> str:
        return f"https://{kfp_registry(self.region)}/{self.project}/{self.repository}"

    def object_name(self, pipeline: str) -> str:
        return f"specs/{self.commit}/{pipeline}.yaml"


@dataclass(frozen=True)
class Template:
    """A published spec. Both addresses give the same bytes for ever."""

    pipeline: str
    address: str
    """In the registry, by digest: what `PipelineJob(template_path=…)` takes. A tag may be moved, and a schedule or a
    run that names one fails where Vertex AI's service agent may not resolve it (python-aiplatform#2398)."""
    uri: str
    """`gs://BUCKET/specs/COMMIT/PIPELINE.yaml`"""


def publish(specs: Mapping[str, str], destination: Destination) -> tuple[Template, ...]:
    """Uploads `specs` (pipeline → YAML) to Cloud Storage and to the registry; the same again changes nothing.

    Raises InputError when the bucket or the repository does not exist or the commit has other specs already,
    ServiceError when a service fails.
    """
    for pipeline, spec in specs.items():
        _store(spec, destination, pipeline)
    return tuple(
        Template(
            pipeline=pipeline,
            address=f"{destination.host}/{_register(spec, destination)}",
            uri=f"gs://{destination.bucket}/{destination.object_name(pipeline)}",
        )
        for pipeline, spec in specs.items()
    )


def unpublished(specs: Mapping[str, str], destination: Destination) -> tuple[str, ...]:
    """The pipelines for which `publish` would change something. Raises ServiceError."""
    return tuple(pipeline for pipeline, spec in specs.items() if not _is_published(pipeline, spec, destination))


def _is_published(pipeline: str, spec: str, destination: Destination) -> bool:
    """Whether every tag is on this spec's version, which is named by the spec's SHA-256, and its copy exists."""
    repository = f"projects/{destination.project}/locations/{destination.region}/repositories/{destination.repository}"
    version = f"sha256:{hashlib.sha256(spec.encode()).hexdigest()}"
    for tag in (destination.commit, *destination.tags):
        if find_version(f"{repository}/packages/{pipeline}/tags/{tag}") != version:
            return False
    with google_errors("Cloud Storage", f"gs://{destination.bucket}"):
        bucket = storage_client(destination.project).bucket(destination.bucket)
        return bool(bucket.blob(destination.object_name(pipeline)).exists())


def _store(spec: str, destination: Destination, pipeline: str) -> None:
    """Never overwrites another spec: a submit by commit gets the spec of that commit."""
    from google.api_core.exceptions import NotFound, PreconditionFailed

    uri = f"gs://{destination.bucket}/{destination.object_name(pipeline)}"
    with google_errors("Cloud Storage", uri):
        blob = storage_client(destination.project).bucket(destination.bucket).blob(destination.object_name(pipeline))
        try:
            blob.upload_from_string(spec, content_type="application/yaml", checksum="crc32c", if_generation_match=0)
        except NotFound as error:
            raise InputError(
                "no such bucket",
                where=f"gs://{destination.bucket}",
                fix=f"Create it: gcloud storage buckets create gs://{destination.bucket} "
                f"--project={destination.project} --location={destination.region}",
            ) from error
        except PreconditionFailed as error:
            if blob.download_as_bytes() != spec.encode():
                raise InputError(
                    f"commit {destination.commit} has another spec already",
                    where=uri,
                    fix="Its image or its sources differ: publish from a commit of its own, or delete that object.",
                ) from error


def _register(spec: str, destination: Destination) -> str:
    """Uploads a spec; returns the registry's name for it, `PACKAGE/sha256:…`."""
    from kfp.registry import RegistryClient
    from requests import HTTPError

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(spec)
        with google_errors("the registry of templates", destination.host):
            try:
                client = RegistryClient(host=destination.host)
                package, version = client.upload_pipeline(str(path), tags=[destination.commit, *destination.tags])
            except HTTPError as error:
                raise _refused(error.response, destination) from error
    return f"{package}/{version}"


def _refused(response: "Response", destination: Destination) -> InputError | ServiceError:
    if response.status_code == 404:
        return InputError(
            "no such repository",
            where=destination.host,
            fix=f"Create it: gcloud artifacts repositories create {destination.repository} --repository-format=kfp "
            f"--location={destination.region} --project={destination.project}",
        )
    return ServiceError(
        f"the registry of templates answered {response.status_code}: {response.text.strip()}",
        where=destination.host,
        fix="The caller needs roles/artifactregistry.writer on the repository, of format KFP.",
    )
