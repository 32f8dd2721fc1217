"""The run that a candidate is compared with: the last promoted one of the deployment, or a file.

`gs://BUCKET/evaluations/DEPLOYMENT/runs/RUN.json` holds the result of each run, `…/promoted.json` the result of the run
that was promoted last. Both are the evaluation's result document.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vertex_vllm.encoded_text import utf8_text
from vertex_vllm.errors import InputError, VertexVllmError
from vertex_vllm.evaluation.suite_reach import NONE, PROMOTED
from vertex_vllm.foreign_json import parsed
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.google.storage_client import storage_client
from vertex_vllm.labels import label_value
from vertex_vllm.plain_text import whole_characters

FOLDER = "evaluations"
FORMAT = "vertex-vllm-evaluation/1"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BaselineItem:
    """An item of an earlier run: the fields that a comparison needs."""

    id: str
    digest: str
    right: bool
    compared: str
    answer: str
    error: str
    thinks: bool
    figures: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """An earlier run."""

    source: str
    """gs:// address of its result."""
    run: str
    started_at: str
    model_id: str
    commit: str
    """Of the weights, 40 hexadecimal digits; empty: not known."""
    suite: str
    suite_digest: str
    items: tuple[BaselineItem, ...]


def run_object(deployment: str, run_id: str) -> str:
    return f"{FOLDER}/{label_value(deployment)}/runs/{label_value(run_id)}.json"


def promoted_object(deployment: str) -> str:
    return f"{FOLDER}/{label_value(deployment)}/promoted.json"


def journal_object(deployment: str, run_id: str) -> str:
    return f"{FOLDER}/{label_value(deployment)}/runs/{label_value(run_id)}.answers.jsonl"


def load_object(deployment: str, run_id: str) -> str:
    return f"{FOLDER}/{label_value(deployment)}/runs/{label_value(run_id)}.load.jsonl"


def read_baseline(named: str, project: str, bucket: str, deployment: str) -> Baseline | None:
    """The baseline that a config names: `promoted`, `none`, or a result's gs:// address.

    None where none is asked for, and where the deployment has promoted no run with an evaluation yet. Raises InputError
    for an address that holds no result, ServiceError where Cloud Storage refuses.
    """
    if named == NONE:
        return None
    if named == PROMOTED:
        source = f"gs://{bucket}/{promoted_object(deployment)}"
        data = _read(source, project) if bucket else None
        return None if data is None else parse_baseline(data, source)
    data = _read(named, project)
    if data is None:
        raise InputError("there is no such object", where=named, fix="Name the result of an evaluation as baseline.")
    return parse_baseline(data, named)


def parse_baseline(data: str | bytes, source: str) -> Baseline:
    """The baseline in a result document, which as bytes is UTF-8. Raises InputError for anything else."""
    try:
        told = parsed(utf8_text(data) if isinstance(data, bytes) else data)
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {told['format']!r}, not {FORMAT!r}")
        return Baseline(
            source=source,
            run=whole_characters(str(told["run"])),
            started_at=whole_characters(str(told["started_at"])),
            model_id=whole_characters(str(told["model"]["id"])),
            commit=whole_characters(str(told["model"]["commit"])),
            suite=whole_characters(str(told["suite"]["name"])),
            suite_digest=whole_characters(str(told["suite"]["digest"])),
            items=tuple(_item(row) for row in told["items"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        fix = "Name the JSON that an evaluation wrote, or set evaluation.baseline to none."
        raise InputError(f"not the result of an evaluation: {error}", where=source, fix=fix) from error


def write_result(text: str, project: str, bucket: str, deployment: str, run_id: str) -> str:
    """Keeps a run's result for later comparisons; its gs:// address. Raises ServiceError where that is refused."""
    place = f"gs://{bucket}/{run_object(deployment, run_id)}"
    _write(text, project, bucket, run_object(deployment, run_id))
    return place


def keep_as_baseline(project: str, bucket: str, deployment: str, run_id: str) -> None:
    """Makes the result of a promoted run the deployment's baseline.

    Best effort: the endpoint is promoted already. Without a result the baseline stays the earlier one, which is logged.
    """
    source, target = f"gs://{bucket}/{run_object(deployment, run_id)}", promoted_object(deployment)
    try:
        data = _read(source, project)
        if data is None:
            log.warning("%s does not exist: the deployment keeps its earlier baseline", source)
            return
        _write(data, project, bucket, target)
        log.info("Later evaluations of %s are compared with %s", deployment, source)
    except VertexVllmError as error:
        log.warning("The deployment keeps its earlier baseline: %s", error)


def _write(text: str | bytes, project: str, bucket: str, name: str) -> None:
    from google.cloud.storage.retry import DEFAULT_RETRY

    with google_errors("Cloud Storage", f"gs://{bucket}/{name}"):
        blob = storage_client(project).bucket(bucket).blob(name)
        blob.upload_from_string(text, content_type="application/json", retry=DEFAULT_RETRY)


def _read(place: str, project: str) -> bytes | None:
    """None where the object or the bucket does not exist."""
    from google.api_core.exceptions import NotFound

    bucket, _, name = place.removeprefix("gs://").partition("/")
    with google_errors("Cloud Storage", place):
        try:
            return bytes(storage_client(project).bucket(bucket).blob(name).download_as_bytes())
        except NotFound:
            return None


_TEXTS, _FLAGS = ("id", "digest", "compared", "answer", "error"), ("right", "thinks")
_FIGURES = ("seconds", "first_token_seconds", "output_tokens")
# Squares and sums of larger ones would be no numbers any more.
_LARGEST_FIGURE = 1e12


def _item(row: Mapping[str, Any]) -> BaselineItem:
    """Raises ValueError for a value of another type: `"false"` read as true would move the gate."""
    for name in (*_TEXTS, *_FLAGS):
        if not isinstance(row[name], str if name in _TEXTS else bool):
            raise ValueError(f"item {row['id']}: {name} is {row[name]!r}")
    for name in _FIGURES:
        if not (row[name] is None or (type(row[name]) in (int, float) and 0 <= row[name] <= _LARGEST_FIGURE)):
            raise ValueError(f"item {row['id']}: {name} is {row[name]!r}, not a number from 0 to {_LARGEST_FIGURE:g}")
    texts = {name: whole_characters(row[name]) for name in _TEXTS}
    figures = {name: row[name] for name in _FIGURES}
    return BaselineItem(right=row["right"], thinks=row["thinks"], figures=figures, **texts)
