"""The rule of a sweep: labels and the states of runs decide what is deleted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from vertex_vllm.google.error_boundary import google_errors
from vertex_vllm.labels import KEEP_LABEL, Marks, is_of_a_deployment, label_value
from vertex_vllm.lifecycle.keep_or_remove import Verdict
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY

ENDED_BADLY = frozenset({"FAILED", "CANCELLED"})
"""A run's exit handler removes what the run did not promote. If it ended in one of these states, the sweep does."""


@dataclass(frozen=True)
class Runs:
    """The pipeline jobs of a project."""

    states: Mapping[str, str]
    """Run id, in the form of the label → state of the run."""
    busy: frozenset[str] = frozenset()
    """Deployments, in the form of the label, that have an active run."""


@dataclass(frozen=True)
class Due:
    """The rule of one sweep in one region."""

    project: str
    region: str
    now: datetime
    deployments: frozenset[str]
    """Names of the deployments that have a config; empty: orphans are not swept."""
    runs: Runs

    def concerns(self, labels: Mapping[str, str]) -> bool:
        return is_of_a_deployment(labels)

    def verdict(self, labels: Mapping[str, str], *, promoted: bool) -> Verdict:
        if not self.concerns(labels):
            return Verdict(False, "not labelled as vertex-vllm's")
        marks = Marks.of(labels)
        if marks.keep:
            return Verdict(False, f"label {KEEP_LABEL}")
        if marks.expires is not None and marks.expires <= self.now:
            return Verdict(True, f"expired at {marks.expires:%Y-%m-%d %H:%M} UTC")
        if self.deployments and marks.deployment not in {label_value(name) for name in self.deployments}:
            return Verdict(True, f"no config is named {marks.deployment}")
        state = self.runs.states.get(marks.run, "unknown")
        if not promoted and state in ENDED_BADLY:
            # The active run may have found the resource and use it.
            if marks.deployment in self.runs.busy:
                return Verdict(False, f"another run of {marks.deployment} is active")
            return Verdict(True, f"left by run {marks.run}, which is {state}")
        return Verdict(False, f"of run {marks.run}, which is {state}")


def joined(parts: Iterable[Runs]) -> Runs:
    """The runs of several regions together: a run creates resources in another region if its own is out of stock."""
    states: dict[str, str] = {}
    busy: frozenset[str] = frozenset()
    for part in parts:
        states |= part.states
        busy |= part.busy
    return Runs(states, busy)


def look_at_runs(project: str, region: str) -> Runs:
    """All pipeline jobs of the region: those that were submitted from the console lack this project's labels.

    Raises ServiceError.
    """
    from vertex_vllm.runs.engine import ENDED
    from vertex_vllm.runs.vertex_engine import pipeline_client, run_name, state_of

    parent = f"projects/{project}/locations/{region}"
    client = pipeline_client(region)
    states: dict[str, str] = {}
    busy: set[str] = set()
    with google_errors("Vertex AI Pipelines", parent):
        for job in client.list_pipeline_jobs(
            request={"parent": parent, "read_mask": {"paths": ["name", "state"]}}, retry=RETRY, timeout=CALL_SECONDS
        ):
            state = state_of(job)
            states[label_value(run_name(job.name).id)] = state
            if state not in ENDED:
                whole = client.get_pipeline_job(name=job.name, retry=RETRY, timeout=CALL_SECONDS)
                busy.add(label_value(str(whole.runtime_config.parameter_values.get("deployment", ""))))
    return Runs(states, frozenset(busy))
