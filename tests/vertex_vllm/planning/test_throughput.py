"""The price of a million tokens on machines with a measurement."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.vertex_vllm.planning.planned import LLAMA_8B, OTHER, SOURCE, measured, plan
from vertex_vllm.planning.measurement import Measurement, Throughput, parse_measurements, token_price
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.render import render_plan
from vertex_vllm.planning.throughput import with_throughput


def throughput(decided: ServingPlan, *found: Measurement) -> Throughput | None:
    return with_throughput(decided, found).throughput


@pytest.mark.parametrize(
    ("usd_per_hour", "tokens_per_second", "price"),
    [
        (3.6, 1000.0, 1.0),  # A million tokens take 1000 s, which is 1/3.6 of an hour.
        (1.0, 100.0, 2.7777777),
        (7.2, 1000.0, 2.0),  # Two replicas that together are as fast as one of the first row.
    ],
)
def test_the_price_is_the_hours_that_a_million_tokens_take(
    usd_per_hour: float, tokens_per_second: float, price: float
) -> None:
    assert token_price(usd_per_hour, tokens_per_second) == pytest.approx(price)


@pytest.mark.parametrize("tokens_per_second", [0.0, -1.0, float("nan")])
def test_no_tokens_have_no_price(tokens_per_second: float) -> None:
    with pytest.raises(ValueError, match="tokens a second"):
        token_price(1.0, tokens_per_second)


def test_a_measured_machine_has_a_price_per_million_and_no_other_has() -> None:
    decided = plan(OTHER)
    other = next(offer for offer in decided.alternatives if offer.machine_type == "a2-highgpu-1g")
    elsewhere = measured(
        decided,
        machine_type=other.machine_type,
        accelerator_type=other.accelerator_type,
        output_tokens_per_second=400.0,
    )
    told = with_throughput(decided, [measured(decided), elsewhere])
    assert decided.usd_per_hour is not None
    assert told.throughput == Throughput(
        output_tokens_per_second=100.0,
        input_tokens_per_second=25.0,
        concurrency=4,
        replicas=1,
        measured_at="2026-11-20T10:00:00+00:00",
        source=SOURCE,
        usd_per_million_tokens=token_price(decided.usd_per_hour, 100.0),
        remarks=(),
    )
    prices = {offer.machine_type: offer.throughput for offer in told.alternatives if offer.throughput}
    assert list(prices) == ["a2-highgpu-1g"]
    assert other.usd_per_hour is not None
    assert prices["a2-highgpu-1g"].usd_per_million_tokens == token_price(other.usd_per_hour, 400.0)


def test_spot_machines_make_the_same_tokens_at_their_own_price() -> None:
    demand, spot = plan(OTHER, machine_type="g2-standard-12"), plan(OTHER, machine_type="g2-standard-12", spot=True)
    prices = [throughput(each, measured(each)) for each in (demand, spot)]
    assert all(price is not None for price in prices)
    on_demand, at_spot = (price.usd_per_million_tokens for price in prices if price)
    assert spot.usd_per_hour is not None
    assert at_spot == token_price(spot.usd_per_hour, 100.0)
    assert on_demand is not None
    assert at_spot < on_demand


def test_all_replicas_that_ran_are_paid_for() -> None:
    decided = plan(OTHER, min_replica_count=2, max_replica_count=4)
    found = throughput(decided, measured(decided, replicas=2))
    assert found is not None
    assert decided.usd_per_hour is not None
    assert found.usd_per_million_tokens == token_price(2 * decided.usd_per_hour, 100.0)


def test_where_a_machine_has_no_price_its_tokens_have_none() -> None:
    decided = plan(OTHER, region="europe-west4", machine_type="g2-standard-12")
    found = throughput(decided, measured(decided))
    assert found is not None
    assert (found.output_tokens_per_second, found.usd_per_million_tokens) == (100.0, None)
    assert "unknown" in found.price


@pytest.mark.parametrize(
    "changes",
    [
        {"model_id": "someone/else"},
        {"commit": "b" * 40},
        {"commit": ""},
        {"machine_type": "g2-standard-16"},
        {"accelerator_count": 2},
        {"accelerator_type": "NVIDIA_TESLA_T4"},
        {"image": "registry.example.com/vllm:2"},
        {"replicas": 2},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_was_measured_of_something_else_is_not_told(changes: dict[str, Any]) -> None:
    decided = plan(OTHER)
    assert throughput(decided, measured(decided, **changes)) is None


def test_of_several_the_one_at_the_same_concurrency_is_told_then_the_newest() -> None:
    decided = plan(OTHER)
    newer = "2026-11-21T10:00:00+00:00"
    found = throughput(
        decided,
        measured(decided, output_tokens_per_second=1.0),
        measured(decided, output_tokens_per_second=2.0, measured_at=newer),
        measured(decided, output_tokens_per_second=3.0, measured_at=newer, args=(*decided.args, "--enforce-eager")),
        measured(decided, output_tokens_per_second=4.0, measured_at=newer, concurrency=64),
    )
    assert found is not None
    assert found.output_tokens_per_second == 2.0


def test_what_was_otherwise_is_told_beside_the_figure() -> None:
    decided = plan(LLAMA_8B)
    (dtype,) = (text for text in decided.args if text.startswith("--dtype="))
    args = tuple(text for text in decided.args if text != dtype)
    found = throughput(decided, measured(decided, concurrency=64, args=(*args, "--enforce-eager", "--model=gs://b/m")))
    assert found is not None
    assert found.remarks == (
        "the plan asks for 4 requests at once",
        f"commit {'a' * 12}",
        "with --enforce-eager",
        f"without {dtype}",
    )


SLO = "p95 time to first token 0.5 s"
SHORT = "short (prompts fixed(32), answers fixed(64))"


def of_slo(decided: ServingPlan, **changes: Any) -> Measurement:
    found = {"load": SHORT, "slo": SLO, "requests_per_second": 3.2, "saturation_output_tokens_per_second": 400.0}
    return measured(decided, **{**found, "output_tokens_per_second": 200.0, **changes})


def test_a_plan_with_an_slo_is_told_the_price_at_its_highest_rate_and_at_saturation() -> None:
    decided = plan(OTHER, slo_time_to_first_token_seconds=0.5, find_highest_rate=True)
    assert (decided.load, decided.slo) == (SHORT, SLO)
    found = throughput(
        decided, measured(decided, load=SHORT), of_slo(decided), of_slo(decided, slo="p99 end to end 9 s")
    )
    assert found is not None
    assert decided.usd_per_hour is not None
    assert found.usd_per_million_tokens == token_price(decided.usd_per_hour, 200.0)
    assert found.usd_per_million_tokens_at_saturation == token_price(decided.usd_per_hour, 400.0)
    assert found.remarks == ()
    assert (
        f"3.2 requests/s of {SHORT}, the highest rate within {SLO}, "
        f"{token_price(decided.usd_per_hour, 400.0):.2f} USD at saturation, 1 replica; measured 2026-11-20"
    ) in found.conditions


def test_another_load_is_told_beside_the_figure() -> None:
    decided = plan(OTHER, load_profile="conversation", slo_end_to_end_seconds=9.0, find_highest_rate=True)
    found = throughput(decided, of_slo(decided))
    assert found is not None
    assert found.remarks == ("the plan's SLO is p95 end to end 9 s", f"the plan's load is {decided.load}")
    # A plan without an SLO shows the measurement of a closed loop first.
    plain = plan(OTHER)
    told = throughput(plain, of_slo(plain), measured(plain, load=SHORT, measured_at="2026-11-01T10:00:00+00:00"))
    assert told is not None
    assert (told.requests_per_second, told.remarks) == (None, ())


def test_fallbacks_have_their_own() -> None:
    decided = plan(OTHER, machine_type="g2-standard-12", fallbacks=["us-central1/a2-highgpu-1g"])
    (fallback,) = decided.fallbacks
    told = with_throughput(decided, [measured(fallback)])
    assert told.throughput is None
    assert told.fallbacks[0].throughput is not None


def test_the_table_gives_price_conditions_date_and_source() -> None:
    decided = plan(OTHER)
    assert "\nTokens            not measured\n" in render_plan(decided)
    text = " ".join(render_plan(with_throughput(decided, [measured(decided)])).split())
    assert (
        "Tokens 2.78 USD per million output tokens (100.0 output tokens/s, beside 25.0 of input, 4 requests at once, "
        f"1 replica; measured 2026-11-20 on {SOURCE})"
    ) in text
    assert "1.15 USD/h, tokens not measured: fits" in text


def test_a_measurement_changes_nothing_that_is_served() -> None:
    decided = plan(OTHER)
    told = with_throughput(decided, [measured(decided)])
    assert told.served_id == decided.served_id
    assert replace(told, throughput=None) == decided
    assert ServingPlan.from_json(told.to_json()) == told


def test_measurements_are_read_as_they_were_written() -> None:
    one = measured(plan(OTHER))
    assert parse_measurements(one.to_json()) == (one,)
    assert parse_measurements(f"[{one.to_json()}, {one.to_json()}]") == (one, one)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output_tokens_per_second": 0}, "output_tokens_per_second: Input should be greater than 0"),
        ({"output_tokens_per_second": float("nan")}, "output_tokens_per_second: Input should be a finite number"),
        ({"replicas": "two"}, "replicas: Input should be a valid integer"),
        ({"measured_at": "yesterday"}, "measured_at: String should match"),
        ({"format": 2}, "no measurement of format 1"),
    ],
)
def test_what_is_no_measurement_is_refused(changes: dict[str, Any], message: str) -> None:
    fields = {**json.loads(measured(plan(OTHER)).to_json()), **changes}
    with pytest.raises(ValueError, match=message):
        parse_measurements(json.dumps(fields))


@pytest.mark.parametrize("text", ["", "{", "3", "[3]", "[" * 100_000])
def test_other_text_is_no_measurement(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_measurements(text)
