"""Finished steps of a load in Cloud Storage, so that a killed evaluation does not measure them again."""

import json
import logging
from dataclasses import asdict, astuple
from typing import Any

from vertex_vllm.errors import VertexVllmError
from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.load.kept_steps import Step
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.samples import Run, Sample

log = logging.getLogger(__name__)


class LoadJournal:
    """JSON Lines: the endpoint and the settings, then a line for each step. Best effort, as answers are kept.

    Steps of another endpoint or of other settings are not taken.
    """

    def __init__(self, project: str, bucket: str, name: str, endpoint: str, settings: LoadSettings) -> None:
        from google.cloud.storage import Client

        self._blob = Client(project=project).bucket(bucket).blob(name)
        self._place = f"gs://{bucket}/{name}"
        self._lines = [json.dumps({"endpoint": endpoint, "settings": asdict(settings)})]
        self._steps: dict[tuple[int, float], Step] = {}
        header, *rows = self._read().splitlines() or [""]
        for row in rows if header == self._lines[0] else []:
            try:
                step = _step(json.loads(row))
            except (ValueError, TypeError, KeyError):
                continue
            self._steps[step.number, step.rate] = step
            self._lines.append(row)

    def found(self, number: int, rate: float) -> Step | None:
        return self._steps.get((number, rate))

    def keep(self, step: Step) -> None:
        from google.cloud.storage.retry import DEFAULT_RETRY

        self._steps[step.number, step.rate] = step
        self._lines.append(json.dumps(_row(step)))
        text = "\n".join(self._lines) + "\n"
        try:
            with google_errors("Cloud Storage", self._place):
                self._blob.upload_from_string(text, content_type="application/jsonl", retry=DEFAULT_RETRY)
        except VertexVllmError as error:
            log.warning("The load is not kept for a later attempt: %s", error)

    def _read(self) -> str:
        from google.api_core.exceptions import NotFound

        try:
            with google_errors("Cloud Storage", self._place):
                try:
                    return str(self._blob.download_as_bytes().decode(errors="replace"))
                except NotFound:
                    return ""
        except VertexVllmError as error:
            log.warning("An earlier load could not be read, so all of it is measured: %s", error)
            return ""


def _row(step: Step) -> dict[str, Any]:
    run = {
        "samples": [astuple(sample) for sample in step.run.samples],
        "late": step.run.late,
        "cpu": step.run.cpu_seconds,
    }
    told = {"number": step.number, "rate": step.rate, "started_at": step.started_at, "seconds": step.seconds}
    return {**told, "run": run}


def _step(row: dict[str, Any]) -> Step:
    run = row["run"]
    samples = tuple(Sample(*values) for values in run["samples"])
    told = Run(samples, tuple(run["late"]), float(run["cpu"]))
    return Step(int(row["number"]), float(row["rate"]), str(row["started_at"]), float(row["seconds"]), told)
