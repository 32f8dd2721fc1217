"""Conditions, loops, exit handlers and pipelines within pipelines, as Kubeflow's users write them."""

import re
from typing import Any

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")

from tests.strangers import kubeflow_control as control

pytestmark = [pytest.mark.parity("local cloud only"), pytest.mark.slow]


def test_conditions_on_outputs_of_every_type_nest(ended: Any) -> None:
    run = ended(control.conditions)
    names = (name for name, task in run.tasks.items() if task.state.name == "SUCCEEDED")
    said = sorted(run.output(name) for name in names if re.search(r"(^|\.)say(-\d)?$", name))
    assert said == ["count", "flag", "ratio", "word"]


def test_a_choice_within_a_choice_returns_parameter_and_artifact(ended: Any) -> None:
    run = ended(control.choices)
    assert run.output("show") == "[1, 2, 5]"
    assert run.outputs_of(r".*\.text-of") == ["1", "22", "other"]


def test_loops_go_over_items_of_every_type(ended: Any) -> None:
    run = ended(control.loops)
    assert [run.output(name) for name in ("show", "show-2", "show-3", "show-4")] == [
        "['a', 'b/c', 'ü']",
        # A whole number of a list is an integer: JSON does not distinguish them.
        "[0.25, 1]",
        "[False, True]",
        "[['xa', 'xb/c', 'xü'], ['ya', 'yb/c', 'yü']]",
    ]


def test_a_collection_enters_and_leaves_a_pipeline(ended: Any) -> None:
    run = ended(control.collected_outwards)
    assert run.output("show") == "[1, 2]"
    assert list(run.output("")) == [1, 2]


def test_each_exit_handler_is_told_of_its_own_group(ended: Any) -> None:
    run = ended(control.exit_handlers, succeeds=False)
    told = [re.sub(r"exit-handler-\d+", "exit-handler", text) for text in run.outputs_of("told.*")]
    assert told == [
        "('FAILED', 'exit-handler', 9, True, True)",
        "('SUCCEEDED', 'exit-handler', 0, False, True)",
    ]


def test_pipelines_with_exit_handlers_follow_each_other(ended: Any) -> None:
    run = ended(control.nested)
    said = sorted(run.outputs_of(r".*say(-2)?"))
    assert said == ["first", "first is over", "last", "second", "second is over"]


def test_a_retry_of_a_pipeline_within_a_pipeline_is_refused_by_its_name(ended: Any) -> None:
    from google.api_core.exceptions import MethodNotImplemented

    with pytest.raises(MethodNotImplemented, match=r"root\.dag\.tasks\.inner-retry\.retryPolicy"):
        ended(control.tried_again, path="x")
