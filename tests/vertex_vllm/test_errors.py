"""Errors carry data; their texts come from one table."""

from typing import get_type_hints

import pytest

from vertex_vllm import errors
from vertex_vllm.error_data import Attempt, ConfigFault, Refusal, Stockout
from vertex_vllm.errors import (
    ConfigError,
    GateError,
    HubAccessError,
    InputError,
    StockoutError,
    TeardownError,
    VertexVllmError,
)
from vertex_vllm.evaluation.gates import Gate

FAULTS = [
    ConfigFault("configs/a.yaml", 3, "serving.spot", "must be true or false"),
    ConfigFault("b.yaml", 0, "", "is a link"),
]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError(FAULTS), "configs/a.yaml:3: serving.spot: must be true or false\nb.yaml: is a link"),
        (
            TeardownError(remaining={"projects/p/x": "in use", "us-east4": "denied"}, fix="Run it again."),
            "Still there: projects/p/x: in use; us-east4: denied. Run it again.",
        ),
        (GateError([Gate("exact_match", 0.1, 0.5, True)], where="x"), "x: exact_match: have 0.1, need at least 0.5"),
        (HubAccessError("no such file", repo="a/b", path="c"), "a/b: no such file"),
        (
            InputError("is not a region", where="--region", fix="Write us-central1."),
            "--region: is not a region. Write us-central1.",
        ),
    ],
)
def test_the_text_follows_from_the_data(error: VertexVllmError, text: str) -> None:
    assert str(error) == text


def test_another_wording_keeps_class_and_data() -> None:
    error = TeardownError(remaining={"a": "in use"}, refusal=Refusal("UNAVAILABLE", "away"))
    other = error.reworded("away", where="projects/p")
    assert (type(other), other.remaining, other.retryable) == (TeardownError, {"a": "in use"}, True)
    assert str(other) == "projects/p: away"


@pytest.mark.parametrize(("domain", "retryable"), [("capacity", True), ("quota", False)])
def test_waiting_helps_against_a_stockout_but_not_against_a_quota(domain: str, retryable: bool) -> None:
    stockout = Stockout("RESOURCE_EXHAUSTED", domain, "none", "region")
    error = StockoutError("none", attempts=(Attempt("us-east4", "g2-standard-12", "NVIDIA_L4", stockout),))
    assert error.retryable == retryable


def test_every_class_has_an_exit_code_and_typed_fields() -> None:
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, VertexVllmError)]
    assert {each.exit_code for each in classes if issubclass(each, InputError)} == {2}
    assert {each.exit_code for each in classes if not issubclass(each, InputError)} == {1}
    assert all(get_type_hints(each.__init__) for each in classes)
