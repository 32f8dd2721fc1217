"""A model's facts from its mirror: the Hub's files, read in the bucket without a download."""

import re
from dataclasses import dataclass

from vertex_vllm.errors import PlanError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.hub.repository_facts import facts_from_files
from vertex_vllm.mirror.bucket import MirrorBucket
from vertex_vllm.mirror.own_objects import BESIDE_THE_WEIGHTS
from vertex_vllm.model.card_licence import NO_LICENCE
from vertex_vllm.model.facts import ModelFacts

# The prefix as `mirror.destination` makes it.
_DESTINATION = re.compile(r"gs://[^/]+/models/([^/]+/[^/]+)/([0-9a-f]{40})/?")


@dataclass(frozen=True)
class BucketFile:
    path: str
    size: int


@dataclass(frozen=True)
class BucketReader:
    """Reads objects under a prefix as files of a model."""

    bucket: MirrorBucket

    def read(self, file: BucketFile, start: int = 0, length: int | None = None) -> bytes:
        return self.bucket.read(file.path, start, file.size - start if length is None else length)


def read_mirrored_facts(uri: str, project: str) -> ModelFacts:
    """Facts of the model under `gs://bucket/prefix`: config.json, the tokenizer's config, headers of safetensors files.

    Any program may have written the files. A manifest, or the prefix's name, says model and commit; otherwise the model
    is named after its prefix. Gating and licence, which only the Hub knows, are unknown. Raises BucketError for a
    malformed prefix, PlanError for files that cannot be used, ServiceError when Cloud Storage refuses.
    """
    with google_errors("Cloud Storage", uri):
        bucket = MirrorBucket(uri, project)
        try:
            stored = sorted(bucket.objects().items())
            files = tuple(BucketFile(path, found.size) for path, found in stored if path not in BESIDE_THE_WEIGHTS)
            if not files:
                raise PlanError("there are no objects", where=uri, fix="Mirror the model first, or check the prefix")
            model_id, commit = _whose(bucket, uri)
            return facts_from_files(
                BucketReader(bucket),
                files,
                model_id=model_id or uri,
                commit=commit,
                gated=False,
                licence=NO_LICENCE,
                source=uri,
            )
        finally:
            bucket.close()


def _whose(bucket: MirrorBucket, uri: str) -> tuple[str, str]:
    """Model and commit; empty where they are unknown."""
    manifest, _ = bucket.read_manifest()
    if manifest is not None:
        return manifest.model_id, manifest.commit
    named = _DESTINATION.fullmatch(uri)
    return (named[1], named[2]) if named else ("", "")
