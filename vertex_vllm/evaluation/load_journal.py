"""Finished steps of a load in Cloud Storage, so that a killed evaluation does not measure them again."""

import json
from dataclasses import asdict, astuple
from typing import Any

from pydantic import TypeAdapter

from vertex_vllm.evaluation.kept_text import KeptText
from vertex_vllm.foreign_json import parsed
from vertex_vllm.load.kept_steps import Step
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.samples import Run, Sample

_RUN = TypeAdapter(Run)


class LoadJournal:
    """JSON Lines: the endpoint and the settings, then a line for each step. Best effort, as answers are kept.

    Steps of another endpoint or of other settings are not taken.
    """

    def __init__(self, project: str, bucket: str, name: str, endpoint: str, settings: LoadSettings) -> None:
        self._kept = KeptText(project, bucket, name)
        self._lines = [json.dumps({"endpoint": endpoint, "settings": asdict(settings)})]
        self._steps: dict[tuple[int, float], Step] = {}
        earlier = self._kept.read("An earlier load could not be read, so all of it is measured")
        header, *rows = earlier.splitlines() or [""]
        for row in rows if header == self._lines[0] else []:
            try:
                step = _step(parsed(row))
            except (ValueError, TypeError, KeyError, OverflowError):
                continue
            self._steps[step.number, step.rate] = step
            self._lines.append(row)

    def found(self, number: int, rate: float) -> Step | None:
        return self._steps.get((number, rate))

    def keep(self, step: Step) -> None:
        self._steps[step.number, step.rate] = step
        self._lines.append(json.dumps(_row(step)))
        self._kept.write("\n".join(self._lines) + "\n", "The load is not kept for a later attempt")


def _row(step: Step) -> dict[str, Any]:
    run = {
        "samples": [astuple(sample) for sample in step.run.samples],
        "late": step.run.late,
        "cpu": step.run.cpu_seconds,
    }
    told = {"number": step.number, "rate": step.rate, "started_at": step.started_at, "seconds": step.seconds}
    return {**told, "run": run}


def _step(row: dict[str, Any]) -> Step:
    """Raises ValueError, TypeError, KeyError and OverflowError for a row of another form."""
    run = row["run"]
    samples = [asdict(Sample(*values)) for values in run["samples"]]
    fields = json.dumps({"samples": samples, "late": run["late"], "cpu_seconds": run["cpu"]})
    told = _RUN.validate_json(fields, strict=True)
    return Step(int(row["number"]), float(row["rate"]), str(row["started_at"]), float(row["seconds"]), told)
