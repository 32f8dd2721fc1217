"""The table of rules: every row is consistent, names its source, and proposes changes that exist."""

from vertex_vllm.diagnosis.config_changes import ACTIONS
from vertex_vllm.diagnosis.rules import load_rules


def test_every_cause_is_explained_and_says_what_to_do() -> None:
    causes = [rule for rule in load_rules() if rule.kind in ("cause", "symptom")]
    assert [rule.id for rule in causes if not rule.cause or not (rule.changes or rule.advice or rule.general)] == []


def test_every_row_says_where_it_was_seen_and_of_which_versions() -> None:
    assert [rule.id for rule in load_rules() if not rule.seen or not rule.vllm] == []


def test_every_change_exists() -> None:
    assert {change.action for rule in load_rules() for change in rule.changes} <= set(ACTIONS)
