"""Lists of artifacts, and inputs that are left out of containers and loops, as Kubeflow's users write them."""

from typing import Any

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")

from tests.strangers import kubeflow_lists as lists

pytestmark = [pytest.mark.parity("local cloud only"), pytest.mark.slow]


def test_lists_enter_steps_and_pipelines_and_may_be_left_out(ended: Any) -> None:
    run = ended(lists.lists_of_artifacts)
    assert run.output("facts-of") == "[(True, 'Dataset', 1), (True, 'Dataset', 2)]"
    assert (run.output("inner-list"), run.output("inner-list-2")) == ("None", "['a', 'bb']")
    # kfp gives a step None for a list without an artifact.
    assert (run.output("list-or-none"), run.output("list-or-none-2")) == ("['bb']", "None")


def test_a_pipeline_returns_a_list_and_a_loop_goes_over_it(ended: Any) -> None:
    run = ended(lists.list_of_a_pipeline)
    assert run.output("read-all") == "x yy"
    assert run.outputs_of(r"for-loop-\d+\.for-loop-\d+-iteration-\d+\.read-any") == ["x", "yy"]


def test_artifacts_of_loops_within_loops_are_one_list_and_numbers_are_lists(ended: Any) -> None:
    assert ended(lists.lists_of_lists).output("length-and-numbers") == "(2, [[9], [9]])"


def test_imported_artifacts_are_collected(ended: Any, pipeline_bucket: Any) -> None:
    uris = [f"gs://{pipeline_bucket.name}/given/model/{name}" for name in ("one", "two")]
    assert ended(lists.imported_list, uris=uris).output("read-all") == "one two"


def test_what_is_left_out_of_containers_and_loops_is_absent(ended: Any) -> None:
    run = ended(lists.left_out)
    told = [run.output(name, "told") for name in ("flags", "flags-2", "flags-3")]
    assert told == ["--no-text", "--no-text", "--text||--count|0"]
    assert run.outputs_of(r"for-loop-\d+\.for-loop-\d+-iteration-\d+\.number-or-none") == ["(1, None)", "(2, None)"]
