"""The evaluation of a pipeline run: its baseline, its records, and a team's own suite."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from google.cloud.storage import Client

from tests.vertex_vllm.evaluation.evaluated_endpoint import COMMIT, MODEL, Evaluated
from tests.vertex_vllm.evaluation.evaluations import COMPLETIONS, EVALUATION, FRANCE, SPAIN, SUITE, against, many
from vertex_vllm.errors import ConfigError, InputError
from vertex_vllm.evaluation.baseline import promoted_object, run_object
from vertex_vllm.evaluation.evaluate import Evaluation
from vertex_vllm.evaluation.evaluated_run import Order, evaluate_run, keep_result, promote_result
from vertex_vllm.evaluation.gates import verdict_of
from vertex_vllm.evaluation.limits import Limits
from vertex_vllm.evaluation.result import document, to_json
from vertex_vllm.evaluation.suites.suite_objects import put_suite

SCHEMA = Path(__file__).parents[3] / "vertex_vllm" / "evaluation" / "data" / "result.schema.json"
RUN = "projects/1/locations/us-central1/pipelineJobs/deploy-demo-{}"


@pytest.fixture
def order(served: Evaluated) -> Order:
    """Two questions, of which the model server answers one."""
    suite = replace(SUITE, items=(FRANCE, SPAIN))
    return Order(put_suite(suite, served.project, served.bucket), concurrency=1)


def weights(served: Evaluated) -> str:
    return f"gs://{served.bucket}/models/{MODEL}/{COMMIT}"


def test_a_run_is_compared_with_the_run_that_was_promoted_last(served: Evaluated, order: Order) -> None:
    def run(name: str, order: Order = order) -> Evaluation:
        evaluation = evaluate_run(served.endpoint, True, "compared", RUN.format(name), order)
        keep_result(evaluation)
        return evaluation

    first = run("1")
    assert verdict_of(first) == (
        True,
        "No run of compared has been promoted with an evaluation yet: this is the first.",
    )
    assert (first.subject.model_id, first.subject.commit) == (MODEL, COMMIT)
    # A run that is not promoted does not become a baseline.
    assert run("2").comparison is None
    promote_result(served.endpoint, weights(served), "compared", "deploy-demo-1")
    third = run("3")
    assert third.comparison is not None
    assert (third.comparison.items, third.comparison.changed, third.comparison.same_model) == (2, (), True)
    assert third.asking.baseline is not None
    assert third.asking.baseline.run == RUN.format("1")
    assert run("4", replace(order, baseline="none")).comparison is None
    named = f"gs://{served.bucket}/{run_object('compared', 'deploy-demo-2')}"
    fifth = run("5", replace(order, baseline=named))
    assert fifth.asking.baseline is not None
    assert fifth.asking.baseline.run == RUN.format("2")


def test_a_run_without_a_result_leaves_the_baseline(served: Evaluated, caplog: pytest.LogCaptureFixture) -> None:
    promote_result(served.endpoint, weights(served), "unevaluated", "run-1")
    assert "does not exist: the deployment keeps its earlier baseline" in caplog.text
    assert not Client(project=served.project).bucket(served.bucket).blob(promoted_object("unevaluated")).exists()


def test_a_second_attempt_of_a_run_asks_nothing_again(served: Evaluated, order: Order) -> None:
    first = evaluate_run(served.endpoint, True, "resumed", RUN.format("1"), order)
    assert first.load.result is not None
    # The caps allow exactly the requests of the first attempt: two questions, three probes, and the load.
    exactly = Limits(requests=2 + 3 + len(first.load.result.samples))
    again = evaluate_run(served.endpoint, True, "resumed", RUN.format("1"), replace(order, limits=exactly))
    assert (again.answers, again.stopped, again.started_at) == (first.answers, "", first.started_at)
    # The load is not measured again either, unless the config changes it.
    assert again.load.result is not None
    assert again.load.result.ended_by == ""
    assert again.load.result.samples == first.load.result.samples
    other = replace(order, load=replace(order.load, answer_tokens="fixed(2)"))
    third = evaluate_run(served.endpoint, True, "resumed", RUN.format("1"), other)
    assert third.load.result is not None
    assert third.load.result.samples != first.load.result.samples


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"baseline": "gs://{bucket}/none.json"}, "gs://{bucket}/none.json: there is no such object"),
        ({"baseline": "gs://{bucket}/broken.json"}, "gs://{bucket}/broken.json: not the result of an evaluation"),
        ({"baseline": "gs://{bucket}/binary.json"}, "gs://{bucket}/binary.json: not the result of an evaluation"),
        ({"suite": "gs://{bucket}/none/suite.yaml"}, "gs://{bucket}/none/suite.yaml:1: no such file"),
        ({"suite": "gs://{bucket}/broken.json"}, "gs://{bucket}/broken.json: not a bundled suite"),
        ({"suite": "texts"}, "there is no suite 'texts'"),
        ({"limits": Limits(usd=1)}, "the price of the machine is not known"),
    ],
)
def test_an_order_that_cannot_be_met_asks_nothing(
    served: Evaluated, order: Order, changed: dict[str, Any], told: str
) -> None:
    bucket = Client(project=served.project).bucket(served.bucket)
    bucket.blob("broken.json").upload_from_string("{}")
    bucket.blob("binary.json").upload_from_string(b"\xff\xfe{}")
    filled = {
        name: value.format(bucket=served.bucket) if isinstance(value, str) else value for name, value in changed.items()
    }
    with pytest.raises(InputError) as raised:
        evaluate_run(served.endpoint, True, "refused", RUN.format("1"), replace(order, **filled))
    assert told.format(bucket=served.bucket) in str(raised.value)


def test_a_suite_of_files_in_cloud_storage(served: Evaluated, order: Order) -> None:
    bucket = Client(project=served.project).bucket(served.bucket)
    header = "name: own\nlicense: CC0-1.0\nitems: [a.jsonl]\n"
    row = {"id": "a", "category": "c", "prompt": "What is 2 + 2?", "check": {"kind": "number", "value": 4}}
    bucket.blob("own/suite.yaml").upload_from_string(header)
    bucket.blob("own/a.jsonl").upload_from_string(json.dumps(row))
    found = replace(order, suite=f"gs://{served.bucket}/own/suite.yaml")
    (answered,) = evaluate_run(served.endpoint, True, "own", RUN.format("1"), found).answers
    assert answered.right
    bucket.blob("own/a.jsonl").upload_from_string("{}")
    with pytest.raises(ConfigError, match=rf"gs://{served.bucket}/own/a.jsonl:1: id: missing. Add it"):
        evaluate_run(served.endpoint, True, "own", RUN.format("1"), found)


@pytest.mark.parametrize(
    "evaluation",
    [
        EVALUATION,
        COMPLETIONS,
        against(many(290, 110), many(300, 100).answers),
        replace(EVALUATION, answers=(), stopped="10 requests in a row failed"),
    ],
    ids=["chat", "completions", "compared", "stopped"],
)
def test_the_result_is_what_its_schema_says(evaluation: Evaluation) -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(to_json(evaluation)), schema)


def test_the_names_of_the_result_are_those_of_the_schema() -> None:
    schema = json.loads(SCHEMA.read_text())
    written = document(against(many(290, 110), many(300, 100).answers))
    assert set(written) == set(schema["properties"]) == set(schema["required"])
    assert set(written["comparison"]) == set(schema["$defs"]["comparison"]["properties"])
    assert set(written["items"][0]) == set(schema["$defs"]["item"]["properties"])
