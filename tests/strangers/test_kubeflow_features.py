"""Pipelines as Kubeflow's users write them run on the local cloud, each with one feature; nothing is fetched."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")

from tests.strangers import kubeflow_features as features
from tests.strangers import kubeflow_values as values

pytestmark = pytest.mark.parity("local cloud only")


def test_whole_numbers_stay_integers(ended: Any) -> None:
    run = ended(values.whole_numbers)
    assert run.output("shapes") == "([1, {'a': 2}], {'n': 3, 'x': 0.5}, 1.0, 7, True)"
    assert run.output("shapes-2") == "([1, 2.5, [3]], {'a': {'b': 4}}, 6.0, 5, False)"


def test_optional_inputs_that_are_left_out_are_none(ended: Any) -> None:
    run = ended(values.optional_inputs)
    nothing = "(None, None, None, None, None, None, {}, None)"
    assert (run.output("defaults"), run.output("defaults-2")) == (nothing.format(3), nothing.format(3))
    assert run.output("inner-optional.defaults") == nothing.format(4)
    assert run.output("inner-optional-2.defaults") == nothing.format(4)


def test_an_artifact_has_a_remote_address_and_a_local_copy(ended: Any, pipeline_bucket: Any) -> None:
    run = ended(values.artifact_addresses)
    made = run.tasks["write"].outputs["data"].artifacts[0]
    assert run.output("read", "text") == "some 4"
    assert run.output("read", "uri") == made.uri
    assert run.output("read", "name") == made.name
    assert run.output("read", "path").endswith(made.uri.removeprefix("gs://"))
    assert made.uri.startswith(f"gs://{pipeline_bucket.name}/runs/")
    assert pipeline_bucket.blob(made.uri.removeprefix(f"gs://{pipeline_bucket.name}/")).download_as_text() == "some"


def test_importers_bring_objects_and_folders(ended: Any, pipeline_bucket: Any) -> None:
    uri, folder = f"gs://{pipeline_bucket.name}/given/data.txt", f"gs://{pipeline_bucket.name}/given/model"
    run = ended(values.importers, uri=uri, folder=folder)
    assert (run.output("read-any"), run.output("read-any-2")) == ("imported", "one two")
    fixed, computed = (run.tasks[name].outputs["artifact"].artifacts[0] for name in ("importer", "importer-3"))
    assert (fixed.uri, dict(fixed.metadata)) == (uri, {"uri": uri, "list": [uri, 3]})
    assert (computed.uri, dict(computed.metadata)) == (
        folder,
        {"from": repr({"uri": uri}), repr({"uri": uri}): "key"},
    )


def test_an_import_of_nothing_fails_where_it_is_read(ended: Any, pipeline_bucket: Any) -> None:
    nothing = f"gs://{pipeline_bucket.name}/given/nothing"
    run = ended(values.importers, uri=nothing, folder=f"gs://{pipeline_bucket.name}/given/model", succeeds=False)
    assert run.tasks["importer"].state.name == "SUCCEEDED"
    assert "FileNotFoundError" in run.tasks["read-any"].error.message


def test_what_a_step_writes_to_an_address_of_its_choice_is_there(ended: Any, pipeline_bucket: Any) -> None:
    assert ended(values.chosen_address, uri=f"gs://{pipeline_bucket.name}/chosen/x").output("read-any") == "elsewhere"
    assert pipeline_bucket.blob("chosen/x").download_as_text() == "elsewhere"


def test_python_finds_buckets_below_gcs(ended: Any, pipeline_bucket: Any) -> None:
    run = ended(values.below_gcs, bucket=pipeline_bucket.name)
    refused = "the local cloud cannot remove or rename an object by its path"
    assert run.output("work-below-gcs") == f"one two, False, {refused}"
    assert pipeline_bucket.blob("made/text").download_as_text() == "one"
    assert pipeline_bucket.blob("given/model/one").download_as_text() == "one"


def test_results_of_loops_are_collected(ended: Any) -> None:
    run = ended(values.collected)
    assert [run.output(name) for name in ("add-up", "add-up-2", "add-up-3")] == [
        "([1, 4, 9], 14)",
        "([4, 9], 13)",
        "([], 0)",
    ]
    assert run.output("read-all") == "1 2 1 2 1 2"
    assert run.output("texts-of", "told") == "1 2 1 2 1 2"


def test_loops_go_over_parts_of_items_and_over_artifacts(ended: Any) -> None:
    run = ended(features.loops_over)
    assert run.outputs_of(r"for-loop-\d+\.for-loop-\d+-iteration-\d+\.join") == ["1x", "2y"]
    assert run.outputs_of(r"for-loop-\d+\.for-loop-\d+-iteration-\d+\.square") == [9, 16]
    assert run.outputs_of(r"for-loop-\d+\.for-loop-\d+-iteration-\d+\.read-any") == ["1", "2"]


def test_who_ignores_a_failure_gets_the_default(ended: Any) -> None:
    assert ended(features.ignored_failure, succeeds=False).output("tell") == "nothing came 1"


def test_an_exit_handler_is_told_the_failure_with_an_integer_code(ended: Any) -> None:
    assert ended(features.exit_handler, succeeds=False).output("last") == "('FAILED', 9, True, 'after')"


def test_a_sub_pipeline_hands_on_parameters_and_artifacts(ended: Any) -> None:
    run = ended(features.sub_pipeline_outputs)
    assert (run.output("read-any"), run.output("tell")) == ("deep", "deep 2 0")
    assert run.output("") == "deep 2 0"


@pytest.mark.parametrize(("number", "taken"), [(1, "one"), (2, "two"), (3, "other")])
def test_one_of_several_branches_hands_on_its_output(ended: Any, number: int, taken: str) -> None:
    assert ended(features.branches, number=number).output("") == f"{taken} 0 0"


@pytest.mark.parametrize(("flag", "text"), [(True, "yes"), (False, "no")])
def test_one_of_two_branches_hands_on_its_artifact(ended: Any, flag: bool, text: str) -> None:
    assert ended(features.artifact_branches, flag=flag).output("read-any") == text


def test_a_container_gets_its_words(ended: Any) -> None:
    run = ended(features.container)
    assert run.output("words", "told") == '--text=it\'s; $HOME|--none|3|2|false|[1, "b"]'
    assert run.output("read-any") == "copied"


def test_a_failed_attempt_is_tried_again(ended: Any, tmp_path: Path) -> None:
    assert ended(features.retries, path=str(tmp_path / "attempts")).output("second-time") == 2


def test_texts_are_put_together(ended: Any) -> None:
    run = ended(features.texts)
    assert run.output("tell-2") == "Ada 2 x 2 tell-2 2"
    assert run.output("shape-of") == repr({"Ada": ["x 2", "2", "2!"]})


def test_metadata_keeps_its_types(ended: Any) -> None:
    assert ended(features.metadata).output("of-model") == repr(("none", ["a", 1], {"accuracy": 0.5, "steps": 10}))


def test_an_artifact_is_returned(ended: Any) -> None:
    assert ended(features.returned_artifact).output("read", "text") == "returned 8"


def test_variables_are_set(ended: Any) -> None:
    run = ended(features.variables)
    assert run.output("environment-of") == f"hello {run.message.name.rpartition('/')[2]}"


def test_a_package_that_is_there_is_not_installed_again(ended: Any) -> None:
    import kfp

    assert ended(features.installed).output("with-kfp-installed") == f"kfp {kfp.__version__}"
