"""`vertex-vllm sweep-configs CONFIG --over FIELD=VALUE,VALUE`"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.sending import image_option
from vertex_vllm.cli.table import text_table
from vertex_vllm.cli.terminal import columns, say

if TYPE_CHECKING:
    from vertex_vllm.config.config_grid import Variant
    from vertex_vllm.evaluation.run_results import RunResult
    from vertex_vllm.lifecycle.config_sweep import Point, Tried
    from vertex_vllm.runs.engine import Engine


@click.command("sweep-configs")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--over", multiple=True, metavar="FIELD=VALUE,VALUE", help="Values of a field; may be repeated.")
@click.option("--budget-usd", required=True, type=click.FloatRange(min=0, min_open=True), help="For all runs together.")
@click.option("--hours", required=True, type=click.FloatRange(min=0, min_open=True), help="For all runs together.")
@click.option("--dry-run", is_flag=True, help="Print the variants, their price, and which do not fit; run none.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="File for the best config.  [default: CONFIG.best.yaml]"
)
@click.option("--project", help="Project id; default: the config's, then GOOGLE_CLOUD_PROJECT.")
@image_option
def sweep_configs(
    config: Path,
    over: tuple[str, ...],
    budget_usd: float,
    hours: float,
    dry_run: bool,
    output: Path | None,
    project: str | None,
    image: str,
) -> None:
    """Deploy variants of a config one after another, evaluate each, tear it down, and rank them.

    Every variant is planned first, for nothing: what cannot be served, has no quota, or does not fit into the budget is
    not tried. A run that would exceed the budget is cancelled. Interrupted, the command cancels the run under way and
    waits for its teardown. Mirrored weights stay in the bucket.

    Example: vertex-vllm sweep-configs configs/llama-3.1-8b-instruct.yaml --over serving.max_num_seqs=64,256
    --budget-usd 20 --hours 3 --dry-run
    """
    from vertex_vllm.cli.submit_command import project_of
    from vertex_vllm.config import load_deployment
    from vertex_vllm.config.config_grid import parse_over, variants
    from vertex_vllm.errors import InputError
    from vertex_vllm.lifecycle.config_sweep import Budget, fitted, try_points

    budget, best = Budget(budget_usd, hours), output or config.with_suffix(".best.yaml")
    if not best.parent.is_dir() or best.is_dir():
        raise InputError("not a file in an existing folder", where=f"--output {best}", fix="Name another file.")
    load_deployment(config)
    text = config.read_text(encoding="utf-8")
    found = variants(text, str(config), parse_over(over))
    named = project_of(found[0].deployment, project)
    points = fitted([_planned(variant, named) for variant in found], budget)
    say(_grid(points), nl=False)
    if dry_run:
        return
    if all(point.why_not for point in points):
        say("error: no variant can be tried", err=True)
        sys.exit(1)
    with _told_to_stop():
        tried, left = try_points(points, budget, lambda point, stop: _try(point, named, image, hours, stop))
    _tell(tried, left, best)
    if any("interrupted" in point.why_not for point in left):
        sys.exit(130)
    if not tried or any(point.failed for point in left):
        sys.exit(1)


def _planned(variant: "Variant", project: str) -> "Point":
    """The variant's plan with the quota that the project has now."""
    from vertex_vllm.catalog import load_catalog
    from vertex_vllm.cli.plan_command import model_facts, quotas_of
    from vertex_vllm.errors import PlanError, QuotaShortageError
    from vertex_vllm.lifecycle.config_sweep import Point
    from vertex_vllm.planning.planner import plan_serving
    from vertex_vllm.serving.quota_check import check_quotas

    deployment, catalog = variant.deployment, load_catalog()
    facts = model_facts(deployment, catalog, False, None, project)
    try:
        plan = plan_serving(facts, deployment, catalog, quotas_of(deployment, catalog, project))
        check_quotas(project, plan)
    except (PlanError, QuotaShortageError) as error:
        return Point(variant, None, str(error))
    return Point(variant, plan)


def _grid(points: Sequence["Point"]) -> str:
    rows = [
        (
            str(point.variant.number),
            point.variant.label,
            point.plan.machine_type if point.plan else "-",
            _dollars(point.usd_per_hour),
            f"{point.hours:.1f}" if point.plan else "-",
            _dollars(point.usd),
            point.why_not or "fits",
        )
        for point in points
    ]
    return text_table(("", "variant", "machine", "USD/h", "hours", "USD at most", ""), rows, columns())


def _dollars(price: float | None) -> str:
    return "-" if price is None else f"{price:.2f}"


def _try(point: "Point", project: str, image: str, hours: float, stop: Callable[[], str]) -> "RunResult":
    """Submits a variant, follows its run, and tears it down, also after an error."""
    from rich.console import Console

    from vertex_vllm.cli import sending
    from vertex_vllm.cli.compare_command import run_result
    from vertex_vllm.cli.run_view import RunView
    from vertex_vllm.cli.submit_command import submission
    from vertex_vllm.lifecycle.teardown import remove_everywhere, require_gone
    from vertex_vllm.project_names import regions_of
    from vertex_vllm.runs.engine import Run
    from vertex_vllm.runs.vertex_engine import VertexEngine

    deployment = point.variant.ephemeral(hours + 1)
    sent = sending.with_image(submission(deployment, "deploy", project), image)
    sending.require_ready(sent)
    sent = sending.with_suite(sent)
    say(f"{point.variant.label}: {sent.job_id}", err=True)
    engine, view, cancelled = VertexEngine(), RunView(Console(stderr=True, highlight=False)), False

    def look(run: "Run") -> None:
        nonlocal cancelled
        view.update(run)
        if not cancelled and (reason := stop()):
            cancelled = True
            say(f"{reason}: cancelling {sent.job_id}", err=True)
            _cancel(engine, run.name)

    name = engine.submit(sent)
    try:
        with view.shown():
            engine.watch(name, look)
    except BaseException:
        _cancel(engine, name)
        engine.watch(name, view.update)
        raise
    finally:
        regions = (sent.region, *regions_of(deployment.serving.fallbacks))
        require_gone(remove_everywhere(project, regions, deployment.name))
    return run_result(name)


def _cancel(engine: "Engine", name: str) -> None:
    """Cancels the run, unless it has ended meanwhile."""
    from vertex_vllm.errors import ServiceError
    from vertex_vllm.runs.engine import ENDED

    try:
        engine.cancel(name)
    except ServiceError:
        if engine.read(name).state not in ENDED:
            raise


def _tell(tried: Sequence["Tried"], left: Sequence["Point"], output: Path) -> None:
    """The ranked table on standard output, the best config in its file, and what was not tried."""
    from vertex_vllm.cli.failures import told
    from vertex_vllm.evaluation.run_results import FIGURES, is_candidate, ranked

    by_run = {each.result.name: each for each in tried}
    order = [by_run[result.name] for result in ranked([each.result for each in tried])]
    figures = [name for name in FIGURES if any(each.result.figure(name) is not None for each in order)]
    rows = [
        (
            str(place) if is_candidate(each.result) else "-",
            each.point.variant.label,
            *(_figure(each.result.figure(name)) for name in figures),
            f"{each.usd:.2f}",
            each.result.state.lower(),
            each.result.name,
        )
        for place, each in enumerate(order, 1)
    ]
    if rows:
        say(text_table(("rank", "variant", *figures, "USD spent", "state", "run"), rows, columns()), nl=False)
    for point in left:
        say(f"{'error' if point.failed else 'not tried'}: {point.variant.label}: {point.why_not}", err=True)
    if order and is_candidate(order[0].result):
        with told(OSError):
            output.write_text(order[0].point.variant.text, encoding="utf-8")
        say(f"the best config is in {output}", err=True)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """SIGTERM interrupts as Ctrl-C does; a second one of either does not end the cleaning up."""

    def interrupt(number: int, frame: object) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_IGN)
        say("interrupted: cancelling the run, and waiting for its teardown", err=True)
        raise KeyboardInterrupt

    handled = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, before in handled.items():
            signal.signal(number, before)
