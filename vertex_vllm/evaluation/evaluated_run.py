"""The evaluation of one pipeline run: the served model, the suite that is asked, and the place of its records."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from vertex_vllm.catalog import load_catalog
from vertex_vllm.catalog.prices import BASIS, hourly_price
from vertex_vllm.errors import VertexVllmError
from vertex_vllm.evaluation.answer_journal import Journal, MemoryJournal, ObjectJournal
from vertex_vllm.evaluation.baseline import (
    Baseline,
    journal_object,
    keep_as_baseline,
    load_object,
    read_baseline,
    write_result,
)
from vertex_vllm.evaluation.comparison import Terms
from vertex_vllm.evaluation.evaluate import Asking, Evaluation, Subject, Thresholds, evaluate_endpoint
from vertex_vllm.evaluation.limits import Limits
from vertex_vllm.evaluation.load import check_load
from vertex_vllm.evaluation.load_journal import LoadJournal
from vertex_vllm.evaluation.measurement_store import served
from vertex_vllm.evaluation.result import to_json
from vertex_vllm.evaluation.suite_reach import NONE, PROMOTED
from vertex_vllm.evaluation.suites.suite import Suite, part_of
from vertex_vllm.evaluation.suites.suite_files import load_suite
from vertex_vllm.load.kept_steps import KeptSteps, NoSteps
from vertex_vllm.load.load_settings import DEFAULT_LOAD, LoadSettings
from vertex_vllm.vertex_ai.resource_names import ResourceName

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """The evaluation that a deployment's config asks for."""

    suite: str = "text"
    """Name of a shipped suite, path of a YAML file, or gs:// address."""
    items: int = 0
    """0: all."""
    levels: Sequence[int] = ()
    """Empty: all."""
    baseline: str = PROMOTED
    concurrency: int = 4
    terms: Terms = field(default_factory=Terms)
    limits: Limits = field(default_factory=Limits)
    thresholds: Thresholds = field(default_factory=Thresholds)
    load: LoadSettings = DEFAULT_LOAD


@dataclass(frozen=True)
class _Served:
    """The served model, as far as Vertex AI describes it."""

    project: str
    bucket: str = ""
    """Of the weights; empty: not known, and then nothing is kept."""
    model_id: str = ""
    commit: str = ""
    usd_per_hour: float = 0.0
    """0: not known."""
    machine: str = ""
    """Machine, accelerators and region, in words."""
    image: str = ""


def suite_of(order: Order, project: str = "") -> Suite:
    """The part of the suite that is asked. Raises InputError and ConfigError with what to correct."""
    return part_of(load_suite(order.suite, project), order.levels, order.items)


def evaluate_run(endpoint: str, chat: bool, deployment: str, run: str, order: Order) -> Evaluation:
    """Evaluates an endpoint for a pipeline run; resumes an attempt of the same run that was killed.

    Raises InputError for a suite, baseline or limit that cannot be read, before the first request.
    """
    check_load(order.load)
    place = _served(endpoint)
    suite = suite_of(order, place.project)
    baseline = read_baseline(order.baseline, place.project, place.bucket, deployment)
    asking = Asking(
        suite=suite,
        concurrency=order.concurrency,
        terms=order.terms,
        limits=replace(order.limits, usd_per_hour=place.usd_per_hour),
        baseline=baseline,
        no_baseline=_no_baseline(order.baseline, baseline, deployment),
        load=order.load,
    )
    subject = Subject(
        endpoint=endpoint,
        chat=chat,
        deployment=deployment,
        run=run,
        model_id=place.model_id,
        commit=place.commit,
        price=f"{place.usd_per_hour:.2f} USD/h ({BASIS})" if place.usd_per_hour else "",
        machine=place.machine,
        image=place.image,
    )
    journal, kept_load = _journal(place, deployment, run, endpoint), _kept_load(place, deployment, run, endpoint)
    return evaluate_endpoint(subject, order.thresholds, asking, journal, kept_load)


def keep_result(evaluation: Evaluation) -> str:
    """Writes the result where later runs look for a baseline; returns its gs:// address.

    Best effort: a failure is logged, and the address is empty.
    """
    subject = evaluation.subject
    place = _served(subject.endpoint)
    if not (place.bucket and subject.deployment and subject.run):
        return ""
    try:
        run_id = subject.run.rpartition("/")[2]
        kept = write_result(to_json(evaluation), place.project, place.bucket, subject.deployment, run_id)
        log.info("The evaluation is in %s", kept)
    except VertexVllmError as error:
        log.warning("The evaluation is not kept for later comparisons: %s", error)
        return ""
    return kept


def promote_result(endpoint: str, weights: str, deployment: str, run_id: str) -> None:
    """Makes a promoted run's result the baseline of later runs. `weights`: gs:// prefix."""
    project = ResourceName.parse(endpoint, "endpoints").project
    if bucket := _bucket(weights):
        keep_as_baseline(project, bucket, deployment, run_id)


def _served(endpoint: str) -> _Served:
    project = ResourceName.parse(endpoint, "endpoints").project
    try:
        serving, replicas = served(endpoint)
    except VertexVllmError as error:
        log.warning("What the endpoint serves is not known, so it is compared with no baseline: %s", error)
        return _Served(project)
    price = hourly_price(replace(serving.replicas, least=replicas, most=replicas), load_catalog())
    used = serving.replicas
    accelerators = f", {used.accelerator_count} × {used.accelerator_type}" if used.accelerator_count else ""
    return _Served(
        project=project,
        bucket=_bucket(serving.weights),
        model_id=serving.model_id,
        commit=serving.commit,
        usd_per_hour=price.least if price is not None else 0.0,
        machine=f"{used.machine_type}{accelerators}{', spot' if used.spot else ''}, in {used.region}",
        image=serving.image,
    )


def _bucket(weights: str) -> str:
    return weights.removeprefix("gs://").partition("/")[0] if weights.startswith("gs://") else ""


def _no_baseline(named: str, found: Baseline | None, deployment: str) -> str:
    if found is not None:
        return ""
    if named == NONE:
        return "The config asks for no baseline, so nothing was compared."
    return f"No run of {deployment or 'this deployment'} has been promoted with an evaluation yet: this is the first."


def _journal(place: _Served, deployment: str, run: str, endpoint: str) -> Journal:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if not (place.bucket and deployment and run):
        return MemoryJournal(endpoint, now)
    name = journal_object(deployment, run.rpartition("/")[2])
    return ObjectJournal(place.project, place.bucket, name, endpoint, now)


def _kept_load(place: _Served, deployment: str, run: str, endpoint: str) -> Callable[[LoadSettings], KeptSteps]:
    def kept(settings: LoadSettings) -> KeptSteps:
        if not (place.bucket and deployment and run):
            return NoSteps()
        name = load_object(deployment, run.rpartition("/")[2])
        return LoadJournal(place.project, place.bucket, name, endpoint, settings)

    return kept
