"""Containers, placeholders, defaults and kinds of artifacts, as Kubeflow's users write them."""

import re
from typing import Any

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")

from tests.strangers import kubeflow_components as components

pytestmark = [pytest.mark.parity("local cloud only"), pytest.mark.slow]


def test_defaults_of_every_type_are_kept(ended: Any) -> None:
    run = ended(components.defaults)
    word = 'it\'s "{{$.inputs}}" %s ü\n'
    whole = repr(("", word, 0, 0.0, 3.0, False, [], {}, ["a"], {"a": 1}, None))
    assert run.output("defaults-of-all-types") == whole
    assert run.output("defaults-of-all-types-2") == whole


def test_a_container_reads_artifacts_and_writes_typed_outputs(ended: Any) -> None:
    run = ended(components.container_outputs)
    assert run.output("sum-of") == "(4, ['none', '--data', 'there'])"
    assert run.output("sum-of-2") == "(4, ['--extra=a b', '--data', 'there'])"


def test_a_component_is_loaded_from_text(ended: Any) -> None:
    assert ended(components.loaded).output("path-of") == "abab 4"


def test_placeholders_are_the_names_of_the_job(ended: Any, pipeline_bucket: Any) -> None:
    run = ended(components.placeholders)
    job, has_id, resource, task, created, root = run.output("names").split("|")
    assert (has_id, task, resource) == ("True", "names", run.message.name)
    assert job == run.message.name.rpartition("/")[2]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", created)
    assert root.startswith(f"gs://{pipeline_bucket.name}/runs")


def test_every_kind_of_artifact_arrives(ended: Any) -> None:
    run = ended(components.reports_of_all_kinds)
    files = "'<b>page</b>', '# Text', ['a.txt', 'b.txt']"
    assert run.output("read-reports") == f"([[9, 1], [2, 8]], {files})"
    assert (run.output("reports", "count"), list(run.output("reports", "words"))) == (2, ["a", "b"])


def test_functions_beside_the_step_and_resources_do_not_change_what_it_does(ended: Any) -> None:
    assert ended(components.resources).output("with-a-function") == "abab"


def test_a_step_that_may_be_cached_runs_again(ended: Any) -> None:
    first, second = ended(components.cached), ended(components.cached)
    assert (first.output("with-a-function"), second.output("with-a-function")) == ("abab", "abab")
    assert second.tasks["with-a-function"].state.name == "SUCCEEDED"


def test_an_artifact_is_imported_again_from_a_step_s_address(ended: Any) -> None:
    assert ended(components.imported).output("path-of") == "four 4"


def test_artifacts_that_are_left_out_are_none(ended: Any) -> None:
    run = ended(components.optional_artifacts)
    names = ("artifact-or-none", "artifact-or-none-2", "artifact-or-none-3")
    assert [run.output(name) for name in names] == ["(True, None)", "(True, None)", "(False, None)"]
