"""Figures of an evaluation are stored for later plans, in the bucket of the weights."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from google.cloud.storage import Client

from tests.vertex_vllm.evaluation.evaluated_endpoint import COMMIT, MODEL, Evaluated
from tests.vertex_vllm.evaluation.evaluations import EVALUATION, FRANCE, SUITE
from tests.vertex_vllm.served_models import REGION, Vertex
from vertex_vllm.cli import vertex_vllm
from vertex_vllm.errors import InputError
from vertex_vllm.evaluation.evaluate import Asking, Evaluation, Subject, Thresholds, evaluate_endpoint, metrics_of
from vertex_vllm.evaluation.evaluation_report import render
from vertex_vllm.evaluation.load import Load, load_needs, load_of
from vertex_vllm.evaluation.measurement_store import measurement_of, object_name, read_throughputs, record_throughput
from vertex_vllm.load.figures import LoadFigures, figures_of
from vertex_vllm.load.load_settings import LoadSettings
from vertex_vllm.load.measuring import LoadResult
from vertex_vllm.load.rate_search import RateSearch
from vertex_vllm.load.samples import Run, Sample
from vertex_vllm.load.slo import Slo
from vertex_vllm.planning.difference import Serving
from vertex_vllm.planning.measurement import Measurement
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.vertex_ai.serving_now import serving_now


def test_what_was_measured_is_read_again(served: Evaluated) -> None:
    record_throughput(served.evaluation)
    record_throughput(served.evaluation)
    (found,) = read_throughputs(served.project, served.bucket, MODEL)
    result, plan = served.evaluation.load.result, served.plan
    assert result is not None
    assert result.figures.output_tokens_per_second is not None
    assert found == Measurement(
        model_id=MODEL,
        commit=COMMIT,
        machine_type=plan.machine_type,
        accelerator_type="",
        accelerator_count=0,
        replicas=1,
        image=plan.image,
        args=plan.args,
        concurrency=2,
        output_tokens_per_second=result.figures.output_tokens_per_second,
        input_tokens_per_second=result.figures.input_tokens_per_second,
        measured_at=served.evaluation.started_at,
        source=served.endpoint,
        load="short (prompts fixed(32), answers fixed(64))",
    )
    assert found.input_tokens_per_second is not None
    names = [blob.name for blob in Client(project=served.project).list_blobs(served.bucket)]
    assert names == [object_name(found)]
    assert names[0].startswith(f"measurements/{MODEL}/{COMMIT}/")


def test_a_plan_reads_it_from_the_bucket_and_from_a_file(served: Evaluated, tmp_path: Path) -> None:
    """The measured machine has no accelerators and is in no plan: the test adds the figure of another machine."""
    config = tmp_path / "served.yaml"
    config.write_text(f"name: served\nmodel:\n  id: {MODEL}\n", encoding="utf-8")

    def plan(*arguments: object) -> ServingPlan:
        answer = CliRunner().invoke(vertex_vllm, ["plan", str(config), "--json", *map(str, arguments)])
        assert answer.exit_code == 0, answer.output
        return ServingPlan.from_json(answer.stdout)

    # With the digest of its image, as the endpoint that is measured.
    before = plan("--measured", "--project", served.project)
    assert before.throughput is None
    record_throughput(served.evaluation)
    (found,) = read_throughputs(served.project, served.bucket, MODEL)
    planned = replace(
        found,
        machine_type=before.machine_type,
        accelerator_type=before.accelerator_type,
        accelerator_count=before.accelerator_count,
        image=before.image,
        args=before.args,
    )
    blob = Client(project=served.project).bucket(served.bucket).blob(object_name(planned))
    blob.upload_from_string(planned.to_json())
    from_bucket = plan("--measured", "--project", served.project)
    assert from_bucket.throughput is not None
    assert from_bucket.throughput.source == served.endpoint
    file = tmp_path / "throughput.json"
    file.write_text(f"[{planned.to_json()}]", encoding="utf-8")
    assert plan("--resolve", "--throughput", file).throughput == from_bucket.throughput
    blob.delete()


def test_where_there_is_no_bucket_nothing_was_measured(cloud: Any, project: str) -> None:
    assert read_throughputs(project, f"{project}-nothing", MODEL) == ()


def test_what_cannot_be_read_is_left_out_and_told(served: Evaluated, caplog: pytest.LogCaptureFixture) -> None:
    record_throughput(served.evaluation)
    broken = Client(project=served.project).bucket(served.bucket).blob(f"measurements/{MODEL}/{COMMIT}/x.json")
    broken.upload_from_string("{}")
    assert len(read_throughputs(served.project, served.bucket, MODEL)) == 1
    assert "x.json holds no measurement" in caplog.text
    broken.delete()


def test_a_bucket_that_may_not_be_read_stops_no_plan(
    served: Evaluated, cloud: Any, caplog: pytest.LogCaptureFixture
) -> None:
    record_throughput(served.evaluation)
    listing = f"/storage/v1/b/{served.bucket}/o"
    cloud.add_fault(service="storage", method="GET", path=listing, kind="error", status=403)
    assert read_throughputs(served.project, served.bucket, MODEL) == ()
    assert "could not be read" in caplog.text


def test_an_evaluation_is_as_good_where_its_throughput_cannot_be_kept(
    served: Evaluated, caplog: pytest.LogCaptureFixture
) -> None:
    subject = replace(served.evaluation.subject, endpoint=f"{served.endpoint}-gone")
    gone = replace(served.evaluation, subject=subject)
    record_throughput(gone)
    assert "not written down for later plans: " in caplog.text
    assert "not exactly one deployed model" in caplog.text


def test_weights_that_are_not_ours_to_write_beside_are_left_alone(
    in_vertex: Vertex, make_plan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    name = in_vertex.deploy(make_plan())
    asking = Asking(replace(SUITE, items=(FRANCE,)), concurrency=1)
    record_throughput(evaluate_endpoint(Subject(name, True, "demo"), Thresholds(), asking))
    assert "not written down for later plans" in caplog.text


ANSWERED = Sample(0, 0.0, 0.0, 0.5, 1.0, 1.0, 4, 10)
REFUSED = Sample(1, 0.0, 0.0, ended=1.0, error="HTTP 500")
ONE = LoadSettings(concurrency=1)


def _evaluation(*samples: Sample) -> Evaluation:
    return replace(EVALUATION, load=load_of(samples, ONE) if samples else Load())


def _serving(served: Evaluated) -> Serving:
    found = serving_now(served.project, [REGION], served.plan.deployment)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([ANSWERED, REFUSED], "1 of 2 requests of the load failed"),
        ([replace(ANSWERED, output_tokens=None)], "tokens were not counted"),
        ([], "no load was put on the endpoint"),
    ],
)
def test_what_is_no_throughput_is_not_written_down(served: Evaluated, samples: list[Sample], message: str) -> None:
    with pytest.raises(InputError, match=message):
        measurement_of(_evaluation(*samples), _serving(served), 1)


def test_tokens_a_second_are_those_of_all_requests_together(served: Evaluated) -> None:
    samples = [ANSWERED, replace(ANSWERED, number=1, output_tokens=6, prompt_tokens=20, last_token=2.0, ended=2.0)]
    found = measurement_of(_evaluation(*samples), _serving(served), 3)
    assert (found.output_tokens_per_second, found.input_tokens_per_second, found.replicas) == (5.0, 15.0, 3)
    assert json.loads(found.to_json())["format"] == 1


def test_the_highest_rate_within_the_slo_is_what_a_plan_is_told(served: Evaluated) -> None:
    slo = Slo(time_to_first_token=1.0)
    settings = LoadSettings(slo=slo, find_highest_rate=True)

    def step(rate: float, seconds: float) -> LoadFigures:
        """A request each second whose first token takes so long, and eight tokens after it."""
        samples = [
            Sample(number, number, number, number + seconds, number + seconds + 1, number + seconds + 1, 8, 10)
            for number in range(100)
        ]
        return figures_of(Run(tuple(samples), (), 1.0), slo, "short", rate=rate)

    slow = replace(step(2.0, 30.0), output_tokens_per_second=20.0, saturated=True)
    found = RateSearch((step(1.0, 0.5), slow), "2 requests/s miss the SLO, 1 meet it")
    result = LoadResult(settings, step(0.5, 0.5), (ANSWERED,), found, 0, 0)
    evaluation = replace(EVALUATION, load=Load(result, usd_per_hour=3.6))
    told = measurement_of(evaluation, _serving(served), 1)
    assert (told.requests_per_second, told.slo) == (1.0, "p95 time to first token 1 s")
    assert told.saturation_output_tokens_per_second == 20.0
    metrics = metrics_of(evaluation)
    assert metrics["slo_rate"] == 1.0
    # 8 tokens a second at 3.60 USD/h, which is 0.001 USD a second; 20 at saturation.
    assert metrics["usd_per_million_output_tokens"] == pytest.approx(1000 / 8, rel=0.02)
    assert metrics["usd_per_million_output_tokens_at_saturation"] == 50.0
    assert load_needs(evaluation.load) == (("slo_rate", 1.0, 0.0, True),)
    # Another concurrency or rate of the load does not make a second measurement.
    assert object_name(told) == object_name(replace(told, concurrency=77, requests_per_second=9.0))
    assert "Highest rate within p95 time to first token 1 s: 1 requests per second" in render(evaluation)
