"""A proposed change of the config, planned again with that change; offered only if the new plan fits."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from vertex_vllm.config.config_file import parse_deployment
from vertex_vllm.config.yaml_edit import edited
from vertex_vllm.diagnosis.config_changes import Case, Fields, fields_of
from vertex_vllm.diagnosis.ranking import Cause
from vertex_vllm.errors import ConfigError, PlanError
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.planner import plan_serving


@dataclass(frozen=True)
class Patch:
    """A config file with a cause removed."""

    fields: dict[str, Any]
    """Dotted field → new value; None: left out."""
    text: str
    """The whole file."""
    diff: str
    """Unified, against the file as it is."""
    verdict: str
    """Verdict of the plan with the change: fits or uncertain."""
    uncertain: str = ""
    """Why it is uncertain that the plan fits; empty: it fits."""
    plan: ServingPlan | None = None
    usd_per_hour: tuple[float | None, float | None] = (None, None)
    """US dollars an hour of one replica, of the plan before and of that with the change; None: no price is known."""


def propose(cause: Cause, case: Case, text: str, name: str) -> Patch | None:
    """The first of the cause's changes with which the plan fits; None if there is none.

    `text` is the config file, `name` its name. If no change certainly fits, one that may fit is offered and says so.
    A change that does not fit, or makes the file invalid, is not offered.
    """
    uncertain: Patch | None = None
    for fields in _proposals(cause, case):
        patch = _tried(fields, case, text, name)
        if patch is None:
            continue
        if not patch.uncertain:
            return patch
        uncertain = uncertain or patch
    return uncertain


def _proposals(cause: Cause, case: Case) -> Iterable[Fields]:
    for change in cause.changes:
        fields = fields_of(change, case)
        if fields:
            yield fields


def _tried(fields: Fields, case: Case, text: str, name: str) -> Patch | None:
    changed = edited(text, fields)
    try:
        deployment = parse_deployment(changed, name)
        plan = plan_serving(case.facts, deployment, case.catalog)
    except (ConfigError, PlanError):
        return None
    if changed == text or plan.verdict not in ("fits", "uncertain"):
        return None
    why = "" if plan.verdict == "fits" else plan.reasons.get("doubts") or plan.reasons.get("memory", "")
    diff = "".join(difflib.unified_diff(text.splitlines(True), changed.splitlines(True), f"a/{name}", f"b/{name}", n=2))
    prices = (case.plan.usd_per_hour if case.plan else None, plan.usd_per_hour)
    return Patch(dict(fields), changed, diff, plan.verdict, why, replace(plan, alternatives=(), fallbacks=()), prices)


def case_of(text: str, name: str, facts: Any, catalog: Any) -> Case:
    """The facts about a config file that changes need. Raises ConfigError where the file is not valid."""
    deployment = parse_deployment(text, name)
    try:
        plan = plan_serving(facts, deployment, catalog)
    except PlanError:
        plan = None
    return Case(deployment, facts, catalog, plan)
