"""Teardown: deletes the resources of a deployment, or of one run of it, found by labels. It may be repeated."""

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from google.api_core.exceptions import GoogleAPIError

from vertex_vllm.errors import RegionClosedError, TeardownError, VertexVllmError
from vertex_vllm.google.regional_hosts import in_parallel
from vertex_vllm.lifecycle.keep_or_remove import Rule, Scope, Selection, select
from vertex_vllm.lifecycle.prefix import delete_objects, split_prefix
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client, service_errors
from vertex_vllm.vertex_ai.deletion import remove_endpoint, remove_versions
from vertex_vllm.vertex_ai.interruption import interruption
from vertex_vllm.vertex_ai.operations import Deadline
from vertex_vllm.vertex_ai.resource_names import ResourceName

DEADLINE_SECONDS = 1800

log = logging.getLogger(__name__)

Look = Callable[[Rule], Selection]
"""Selects the resources of one rule in its project and region."""


@dataclass(frozen=True)
class TeardownReport:
    """Names of resources, or of regions that could not be looked through, sorted."""

    removed: tuple[str, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    """Name → why it was kept."""
    remaining: Mapping[str, str] = field(default_factory=dict)
    """Name → why it could not be removed."""

    def joined(self, other: Self) -> Self:
        return type(self)(
            tuple(sorted(self.removed + other.removed)),
            dict(sorted({**self.kept, **other.kept}.items())),
            dict(sorted({**self.remaining, **other.remaining}.items())),
        )

    def to_json(self) -> str:
        """JSON, in which each resource with a reason is one text, `NAME: reason`."""
        fields = {
            "removed": list(self.removed),
            "kept": [f"{name}: {reason}" for name, reason in self.kept.items()],
            "remaining": [f"{name}: {reason}" for name, reason in self.remaining.items()],
        }
        return json.dumps(fields, indent=2) + "\n"


def teardown(
    project: str,
    region: str,
    deployment: str,
    run_id: str = "",
    delete_prefix: str = "",
    deadline_seconds: float = DEADLINE_SECONDS,
    also_in: Sequence[str] = (),
) -> TeardownReport:
    """Deletes endpoints, then model versions and Models, that have the labels of a deployment or of one run of it.

    With a `run_id`, resources of other runs stay, live or not. A model version that an endpoint outside of this
    teardown serves always stays. `also_in` names other regions that fallbacks may have taken it to. `delete_prefix`
    (`gs://bucket/path`) deletes the objects under it. A failure does not stop the rest. Raises TeardownError
    listing the resources that remain, InputError for a malformed prefix.
    """
    report = remove_everywhere(project, (region, *also_in), deployment, run_id, delete_prefix, deadline_seconds)
    require_gone(report)
    return report


def remove_everywhere(
    project: str,
    regions: Sequence[str],
    deployment: str,
    run_id: str = "",
    delete_prefix: str = "",
    deadline_seconds: float = DEADLINE_SECONDS,
    look: Look | None = None,
) -> TeardownReport:
    """As `teardown`, in each of the regions, but reports resources that remain instead of raising an error.

    A region that cannot be listed is reported among them, and the other regions are torn down. `look` selects the
    resources; default: all of the deployment, or of the run.
    """
    if delete_prefix:
        split_prefix(delete_prefix)
    deadline = Deadline(deadline_seconds)
    scopes = [Scope(project, region, deployment, run_id) for region in dict.fromkeys(regions)]
    # List first: regions without resources must take no share of the time.
    looks = _looks(scopes, look or select)
    waiting = [scope for scope, found in zip(scopes, looks, strict=True) if isinstance(found, Selection)]
    unreachable = {scope.region: found for scope, found in zip(scopes, looks, strict=True) if isinstance(found, str)}
    report = TeardownReport(remaining=unreachable)

    def share(done: int) -> float:
        return deadline.left / (len(waiting) - done)

    for done, scope in enumerate(waiting):
        try:
            with service_errors(f"Tearing down {deployment} in {scope.region}", TeardownError):
                report = report.joined(remove_selected(scope, share(done), look or select))
        except VertexVllmError as error:
            report = report.joined(TeardownReport(remaining={scope.region: str(error)}))
    return report.joined(_without_prefix(project, delete_prefix)) if delete_prefix else report


@dataclass(frozen=True)
class Planned:
    """Resources that a teardown would remove."""

    doomed: dict[str, str]
    """Resource name → reason; empty: no reason is needed."""
    live: tuple[str, ...]
    """Endpoints among them that are live."""
    failures: dict[str, str]
    """Region that could not be asked → reason."""


def would_remove(
    project: str, regions: Sequence[str], deployment: str, run_id: str = "", look: Look | None = None
) -> Planned:
    """The resources that `remove_everywhere` would remove."""
    scopes = [Scope(project, region, deployment, run_id) for region in dict.fromkeys(regions)]
    looks = _looks(scopes, look or select)
    found = [each for each in looks if isinstance(each, Selection)]
    return Planned(
        doomed={name: reason for selection in found for name, reason in selection.doomed.items()},
        live=tuple(name for selection in found for name in selection.doomed_endpoints if name in selection.live),
        failures={scope.region: each for scope, each in zip(scopes, looks, strict=True) if isinstance(each, str)},
    )


def _looks(scopes: Sequence[Scope], look: Look) -> list[Selection | str | None]:
    """For each scope: the selection; None if it selects nothing; or the reason why its region cannot be listed."""

    def one(scope: Scope) -> Selection | str | None:
        try:
            with service_errors(f"Looking in {scope.region}"):
                found = look(scope)
        except RegionClosedError:  # Nothing of the project can be there.
            return None
        except VertexVllmError as error:
            return str(error)
        return found if found.doomed or found.kept else None

    return in_parallel(one, scopes)


def _without_prefix(project: str, prefix: str) -> TeardownReport:
    failures: dict[str, str] = {}
    _attempt(prefix, partial(delete_objects, project, prefix), failures)
    return TeardownReport(remaining=failures) if failures else TeardownReport(removed=(prefix,))


def require_gone(report: TeardownReport) -> None:
    """Raises TeardownError listing the resources that remain."""
    if report.remaining:
        raise TeardownError(remaining=report.remaining, fix="Run teardown again: it continues where this one stopped.")


def remove_selected(rule: Rule, deadline_seconds: float = DEADLINE_SECONDS, look: Look = select) -> TeardownReport:
    """Deletes the resources that the rule selects, then lists what remains. Raises only if it cannot list.

    After SIGTERM or SIGINT it waits for nothing more: it still begins every removal, which Vertex AI then finishes by
    itself, and reports what exists at that moment.
    """
    failures: dict[str, str] = {}
    with interruption() as asked:
        before = look(rule)
        time_for_endpoints = Deadline(deadline_seconds / 2, asked)
        lasting = _remove_endpoints(rule, before.doomed_endpoints, time_for_endpoints, failures)
        _remove_models(rule, before.doomed_versions, Deadline(deadline_seconds / 2, asked), failures, lasting)
        after = look(rule)  # The last act is to look.
    return TeardownReport(
        removed=tuple(sorted(before.doomed.keys() - after.doomed.keys())),
        kept=dict(sorted(after.kept.items())),
        remaining={name: _reason(name, failures) for name in sorted(after.doomed)},
    )


def _remove_endpoints(rule: Rule, doomed: list[str], deadline: Deadline, failures: dict[str, str]) -> set[str]:
    """Endpoints that Vertex AI refused to delete. A deletion that only ran out of time may still finish."""
    client = endpoint_client(rule.region)
    lasting = set()
    for done, name in enumerate(doomed):
        # Each gets a share: a deletion that hangs must not use up the others' time.
        share = deadline.share(len(doomed) - done)
        if isinstance(_attempt(name, partial(remove_endpoint, client, name, share), failures), GoogleAPIError):
            lasting.add(name)
    return lasting


def _remove_models(
    rule: Rule,
    doomed: dict[ResourceName, set[str]],
    deadline: Deadline,
    failures: dict[str, str],
    lasting: Collection[str],
) -> None:
    client = model_client(rule.region)
    for done, (model, version_ids) in enumerate(doomed.items()):
        share = deadline.share(len(doomed) - done)
        removal = partial(remove_versions, client, model, version_ids, share, lasting)
        _attempt(str(model), removal, failures)


def _attempt(name: str, removal: Callable[[], object], failures: dict[str, str]) -> Exception | None:
    """Runs a removal, and returns its error, which is also put into `failures`; None without one."""
    log.info("Removing %s", name)
    try:
        removal()
    except (VertexVllmError, GoogleAPIError) as error:
        log.warning("%s could not be removed: %s", name, error)
        failures[name] = str(error)
        return error
    return None


def _reason(name: str, failures: dict[str, str]) -> str:
    """Why the resource remains. A version's reason is under the name of its Model."""
    return failures.get(name) or failures.get(name.partition("@")[0]) or "appeared during the teardown"
