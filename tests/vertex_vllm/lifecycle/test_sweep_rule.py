"""Resources that a sweep removes, by labels and states of runs alone."""

from datetime import UTC, datetime, timedelta

import pytest

from vertex_vllm.labels import EXPIRES_LABEL, KEEP_LABEL, Owner
from vertex_vllm.lifecycle.keep_or_remove import Verdict
from vertex_vllm.lifecycle.sweep_rule import Due, Runs, joined

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
STATES = {"good": "SUCCEEDED", "bad": "FAILED", "stopped": "CANCELLED", "going": "RUNNING", "ending": "CANCELLING"}
ANY, WITH_CONFIGS = frozenset[str](), frozenset({"llama", "qwen"})


def verdict(
    labels: dict[str, str], deployments: frozenset[str] = ANY, busy: frozenset[str] = ANY, *, promoted: bool = False
) -> Verdict:
    rule = Due("some-project", "us-central1", NOW, deployments, Runs(STATES, busy))
    return rule.verdict(labels, promoted=promoted)


def made(run: str = "good", hours: float | None = None, deployment: str = "llama", **more: str) -> dict[str, str]:
    expires = None if hours is None else NOW + timedelta(hours=hours)
    return {**Owner(deployment, run, expires=expires).labels, **more}


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (made(hours=-1), "expired at 2026-11-25 11:00 UTC"),
        (made(hours=0), "expired at 2026-11-25 12:00 UTC"),
        (made("bad"), "left by run bad, which is FAILED"),
        (made("stopped", hours=1), "left by run stopped, which is CANCELLED"),
    ],
)
def test_what_is_due_goes(labels: dict[str, str], reason: str) -> None:
    assert verdict(labels) == Verdict(True, reason)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (made(hours=1), "of run good, which is SUCCEEDED"),
        (made("going"), "of run going, which is RUNNING"),
        (made("ending"), "of run ending, which is CANCELLING"),
        # The creating run is not listed, or is in another region: its end is unknown.
        (made("somebody"), "of run somebody, which is unknown"),
        (made("bad", **{KEEP_LABEL: "yes"}), f"label {KEEP_LABEL}"),
        (made(hours=-1, **{KEEP_LABEL: ""}), f"label {KEEP_LABEL}"),
        (made(**{EXPIRES_LABEL: "yesterday"}), "of run good, which is SUCCEEDED"),
        ({}, "not labelled as vertex-vllm's"),
        ({"vertex-vllm-run": "bad", "vertex-vllm-deployment": "llama"}, "not labelled as vertex-vllm's"),
    ],
)
def test_all_else_stays(labels: dict[str, str], reason: str) -> None:
    assert verdict(labels) == Verdict(False, reason)


def test_an_orphan_goes_only_when_the_configs_are_told() -> None:
    orphan = made(deployment="forgotten")
    assert verdict(orphan, WITH_CONFIGS) == Verdict(True, "no config is named forgotten")
    assert not verdict(orphan).goes
    assert not verdict(made(), WITH_CONFIGS).goes


def test_what_was_promoted_outlives_its_run_but_not_its_time() -> None:
    assert not verdict(made("bad"), promoted=True).goes
    assert verdict(made("bad", hours=-1), promoted=True).goes


def test_what_a_dead_run_left_stays_while_another_run_may_count_on_it() -> None:
    assert verdict(made("bad"), busy=frozenset({"llama"})) == Verdict(False, "another run of llama is active")
    assert verdict(made("bad"), busy=frozenset({"qwen"})).goes


def test_runs_of_several_regions_are_known_together() -> None:
    parts = [Runs({"a": "FAILED"}, frozenset({"llama"})), Runs({"b": "RUNNING"}, frozenset({"qwen"}))]
    assert joined(parts) == Runs({"a": "FAILED", "b": "RUNNING"}, frozenset({"llama", "qwen"}))
